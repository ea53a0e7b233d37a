import pytest

from kecor.datasets.epoch_sampler import EpochSampler


def order(n, epoch, **kwargs):
    sampler = EpochSampler(range(n), **kwargs)
    sampler.set_epoch(epoch)
    items = list(sampler)
    assert len(items) == len(sampler)
    return items


def test_an_epoch_holds_every_index_once_with_its_epoch():
    items = order(50, epoch=3, seed=1)
    assert sorted(items) == [(3, i) for i in range(50)]


def test_the_order_is_a_function_of_seed_and_epoch():
    first = [i for _, i in order(50, epoch=3, seed=1)]
    assert first == [i for _, i in order(50, epoch=3, seed=1)]
    assert first != [i for _, i in order(50, epoch=4, seed=1)]
    assert first != [i for _, i in order(50, epoch=3, seed=2)]
    assert first != list(range(50))


@pytest.mark.parametrize("n", [1, 2, 12, 13])
@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_ranks_share_the_epoch_evenly(n, world_size):
    whole = order(n, epoch=2, seed=7)
    shards = [order(n, epoch=2, seed=7, rank=r, world_size=world_size) for r in range(world_size)]
    assert len({len(s) for s in shards}) == 1
    interleaved = [item for items in zip(*shards) for item in items]
    assert interleaved[:n] == whole
    assert len(interleaved) < n + world_size
    assert set(interleaved) == set(whole)


@pytest.mark.parametrize(("n", "draws"), [(5, 3), (5, 12), (1, 4), (6, 6)])
def test_epochs_of_a_fixed_number_of_draws_are_one_stream_of_whole_passes(n, draws):
    stream = [item for epoch in range(10) for item in order(n, epoch, seed=4, draws=draws)]
    assert len(stream) == 10 * draws
    passes = [order(n, number, seed=4) for number in range(10 * draws // n + 1)]
    assert stream == [item for one in passes for item in one][: len(stream)]


def test_ranks_share_the_stream():
    whole = order(5, epoch=3, seed=4, draws=8)
    shards = [order(5, epoch=3, seed=4, draws=4, rank=rank, world_size=2) for rank in range(2)]
    assert [item for items in zip(*shards) for item in items] == whole


def test_it_starts_with_epoch_0_of_a_single_process():
    assert sorted(EpochSampler(range(3))) == [(0, 0), (0, 1), (0, 2)]
