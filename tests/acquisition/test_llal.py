"""Learning loss: losses against a plain loop, the ranking loss against all pairs, and losses that can be learned."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from kecor.acquisition import LLAL, validate_selection
from kecor.acquisition.frame_losses import frame_losses
from kecor.acquisition.loss_head import Schedule, correct_pairs, fit_loss_head, ranking_accuracy, ranking_loss
from kecor.errors import ConfigError, SelectionError
from kecor.structures import Budget, FrameSet
from tests.acquisition.worlds import CLASSES, take, world

POOL, LABELLED = world(24, seed=1), world(12, seed=2, prefix="l", labelled=True)
LABELLED.feats["targets"] = np.abs(LABELLED.feats["targets"])  # targets of classes lie in [0, 1]
SCHEDULE = Schedule(steps=100, learning_rate=0.03, weight_decay=0.01)


def select(pool=POOL, labelled=LABELLED, amount=8, seed=0, **options):
    selection = LLAL(**{"steps": 30, **options}).select(pool, labelled, Budget(amount), np.random.default_rng(seed))
    validate_selection(selection, pool, Budget(amount), "llal")
    return selection


def changed(frames, **feats):
    return FrameSet(frames.ids, {**frames.feats, **feats}, frames.detections)


def without(frames, name):
    return FrameSet(frames.ids, {k: a for k, a in frames.feats.items() if k != name}, frames.detections)


def with_losses(embedding, losses, prefix="l"):
    """Frames of one RoI without an object, whose binary cross-entropy is ``losses``, above 0."""
    logits = np.log(np.expm1(np.asarray(losses, np.float64)))[:, None, None]
    ids = [f"{prefix}{i:04d}" for i in range(len(losses))]
    return FrameSet(ids, {"embedding": embedding, "roi_logits": logits, "targets": np.zeros_like(logits)})


def plain_loss(logits, targets, mask):
    """One frame's loss, RoI by RoI and value by value."""
    rois = [r for r in range(len(mask)) if mask[r]]
    classes, boxes = 0.0, []
    for r in rois:
        for z, y in zip(logits[r].tolist(), targets[r].tolist()):
            p = 1 / (1 + math.exp(-z))
            classes -= y * math.log(p) + (1 - y) * math.log(1 - p)
        residuals = targets[r, len(logits[r]) :].tolist()
        if any(y > 0 for y in targets[r, : len(logits[r])]) and any(residuals):
            boxes.append(sum(4.5 * d * d if abs(d) < 1 / 9 else abs(d) - 1 / 18 for d in residuals))
    return classes / len(rois) + (sum(boxes) / len(boxes) if boxes else 0)


class TestFrameLosses:
    def test_are_those_of_a_plain_loop(self):
        targets = LABELLED.feats["targets"].copy()
        targets[::2, 1, :CLASSES] = 0  # background: its residuals do not count
        targets[::3, 2, CLASSES:] = 0  # overlaps an object, but too little to be told its box
        targets[5, :, CLASSES:] = 0
        targets[:, 0, CLASSES:] *= 0.1  # in the quadratic part
        found = frame_losses(changed(LABELLED, targets=targets))
        mask = LABELLED.feats["roi_mask"]
        for i, loss in enumerate(found):
            if mask[i].any():
                logits = LABELLED.feats["roi_logits"][i].astype(np.float64)
                assert loss == pytest.approx(plain_loss(logits, targets[i].astype(np.float64), mask[i]), rel=1e-10)
        np.testing.assert_array_equal(np.isnan(found), ~mask.any(1))

    def test_what_the_mask_leaves_out_is_not_looked_at(self):
        mask, rubbish = LABELLED.feats["roi_mask"], {}
        for name in ("roi_logits", "targets"):
            rubbish[name] = np.where(mask[..., None], LABELLED.feats[name], np.nan)
        np.testing.assert_array_equal(frame_losses(changed(LABELLED, **rubbish)), frame_losses(LABELLED))

    def test_large_logits_do_not_overflow(self):
        logits = np.array([[[1000.0, -1000.0]], [[-1000.0, 1000.0]]])
        targets = np.array([[[1.0, 0.0]], [[1.0, 0.0]]])
        frames = FrameSet(["a", "b"], {"roi_logits": logits, "targets": targets})
        np.testing.assert_allclose(frame_losses(frames), [0, 2000])

    @pytest.mark.parametrize("width", [CLASSES, CLASSES + 4, CLASSES + 7])
    def test_any_number_of_residuals(self, width):
        targets = LABELLED.feats["targets"][..., :width].astype(np.float64)
        found, mask = frame_losses(changed(LABELLED, targets=targets)), LABELLED.feats["roi_mask"]
        logits = LABELLED.feats["roi_logits"].astype(np.float64)
        for i in np.flatnonzero(mask.any(1)):
            assert found[i] == pytest.approx(plain_loss(logits[i], targets[i], mask[i]), rel=1e-10)

    def test_faults_are_named(self):
        targets, mask = LABELLED.feats["targets"], LABELLED.feats["roi_mask"]
        for name in ("roi_logits", "targets"):
            with pytest.raises(SelectionError, match=f"no '{name}'"):
                frame_losses(without(LABELLED, name))
        for wrong in (targets[..., : CLASSES - 1], targets[:, :-1], targets[:, 0]):
            with pytest.raises(SelectionError, match=r"targets: shape .* expected 3 class targets"):
                frame_losses(changed(LABELLED, targets=wrong))
        with pytest.raises(SelectionError, match=r"roi_logits: expected \(frames, RoIs, classes\)"):
            frame_losses(changed(LABELLED, roi_logits=targets[:, 0]))
        with pytest.raises(SelectionError, match="roi_mask: shape"):
            frame_losses(changed(LABELLED, roi_mask=mask[:, :-1]))
        for value, words in ((1.5, r"expected 0 to 1"), (np.nan, r"expected 0 to 1")):
            broken = targets.copy()
            broken[4, 0, 1] = value
            with pytest.raises(SelectionError, match=f"'l0004': .*{words}"):
                frame_losses(changed(LABELLED, targets=broken))
        broken = LABELLED.feats["roi_logits"].copy()
        broken[4, 0, 1] = np.inf
        with pytest.raises(SelectionError, match=r"'l0004': .*not finite"):
            frame_losses(changed(LABELLED, roi_logits=broken))


class TestRankingLoss:
    def test_is_that_of_all_pairs_and_so_is_its_gradient(self):
        rng = np.random.default_rng(0)
        losses = rng.integers(0, 5, 12).astype(np.float64)  # some are equal
        predicted = torch.tensor(rng.normal(size=12), requires_grad=True)
        total, pairs, slopes = 0.0, 0, np.zeros(12)
        for i in range(12):
            for j in range(i):
                if losses[i] == losses[j]:
                    continue
                sign = 1 if losses[i] > losses[j] else -1
                hinge = max(0.0, -sign * (predicted[i] - predicted[j]).item() + 1)
                pairs, total = pairs + 1, total + hinge
                slopes[[i, j]] += np.array([-sign, sign]) * (hinge > 0)
        loss = ranking_loss(predicted, torch.from_numpy(losses))
        loss.backward()
        assert loss.item() == pytest.approx(total / pairs)
        np.testing.assert_allclose(predicted.grad.numpy(), slopes / pairs, atol=1e-12)

    @pytest.mark.parametrize(
        ("predicted", "loss", "gradient"),
        [((0.0, 0.0), 1.0, (-1, 1)), ((-1.0, 1.0), 3.0, (-1, 1)), ((2.0, 0.5), 0.0, (0, 0))],
    )
    def test_of_one_pair_as_in_the_paper(self, predicted, loss, gradient):
        """The first has the greater loss: its prediction is raised, the other's lowered, until they are 1 apart."""
        predicted = torch.tensor(predicted, requires_grad=True)
        found = ranking_loss(predicted, torch.tensor([5.0, 2.0]))
        found.backward()
        assert found.item() == loss
        assert predicted.grad.tolist() == list(gradient)

    def test_without_pairs(self):
        for n in (0, 1, 3):
            assert ranking_loss(torch.randn(n), torch.ones(n)).item() == 0

    def test_share_of_pairs_against_brute_force(self):
        rng = np.random.default_rng(1)
        losses, predicted = rng.integers(0, 4, 20), rng.integers(0, 4, 20)
        right = pairs = 0
        for i in range(20):
            for j in range(i):
                if losses[i] != losses[j]:
                    pairs += 1
                    same = predicted[i] == predicted[j]
                    right += 0.5 if same else float((losses[i] > losses[j]) == (predicted[i] > predicted[j]))
        assert correct_pairs(predicted, losses) == (right, pairs)


class TestLossHead:
    def test_ranking_accuracy_knows_what_can_be_learned_and_what_cannot(self):
        rng = np.random.default_rng(0)
        inputs = torch.from_numpy(rng.normal(size=(100, 4))).float()
        law, noise = inputs[:, 0].double(), torch.from_numpy(rng.normal(size=100))
        assert ranking_accuracy(inputs, law, torch.Generator().manual_seed(0), SCHEDULE) > 0.9
        assert 0.35 < ranking_accuracy(inputs, noise, torch.Generator().manual_seed(0), SCHEDULE) < 0.65

    def test_of_few_frames_there_is_no_ranking_accuracy(self):
        generator = torch.Generator().manual_seed(0)
        assert ranking_accuracy(torch.randn(3, 2), torch.arange(3.0), generator, SCHEDULE) is None
        assert ranking_accuracy(torch.randn(4, 2), torch.arange(4.0), generator, SCHEDULE) is not None

    def test_batches_are_drawn_from_the_generator_alone(self):
        inputs, state = torch.randn(200, 3, generator=torch.Generator().manual_seed(1)), torch.get_rng_state()
        heads = [fit_loss_head(inputs, inputs[:, 0], torch.Generator().manual_seed(s), SCHEDULE) for s in (0, 0, 1)]
        first, second, third = (head(inputs) for head in heads)
        assert torch.equal(first, second)
        assert not torch.equal(first, third)
        assert torch.equal(torch.get_rng_state(), state)


def test_losses_that_the_embedding_tells_are_learned():
    """The loss grows with the distance from a plane, on both sides: no linear head could rank it."""
    rng = np.random.default_rng(0)
    known, unknown = rng.uniform(-1, 1, (150, 3)) * [1, 50, 1] + 7, rng.uniform(-1, 1, (400, 3)) * [1, 50, 1] + 7

    def loss(x):
        return 0.1 + np.abs(x[:, 1] - 7) / 50

    selection = select(with_losses(unknown, loss(unknown), "p"), with_losses(known, loss(known)), 20, steps=300)
    assert spearmanr(selection.scores, loss(unknown))[0] > 0.95
    assert (loss(unknown)[selection.indices] > np.quantile(loss(unknown), 0.8)).all()
    assert selection.info["learned_from"] == 150
    assert selection.info["pairs_ranked_rightly"] > 0.9
    best_first = np.argsort(-selection.scores)[:20]
    np.testing.assert_array_equal(selection.indices, best_first)
    np.testing.assert_array_equal(selection.gains, selection.scores[best_first])


def test_the_pool_needs_nothing_but_its_embedding():
    pool = FrameSet(POOL.ids, {"embedding": POOL.feats["embedding"]}, POOL.detections)
    np.testing.assert_array_equal(select(pool).indices, select().indices)


def test_on_disk_in_half_precision(tmp_path):
    half = POOL.feats["embedding"].astype(np.float16)
    np.save(tmp_path / "x.npy", half)
    on_disk = changed(POOL, embedding=np.load(tmp_path / "x.npy", mmap_mode="r"))
    np.testing.assert_array_equal(select(on_disk).scores, select(changed(POOL, embedding=half)).scores)


def test_labelled_frames_without_rois_teach_nothing():
    seen = LABELLED.feats["roi_mask"].any(1)
    assert 0 < seen.sum() < len(seen)
    assert select().info["learned_from"] == seen.sum()
    blind = {name: array.copy() for name, array in LABELLED.feats.items()}
    blind["targets"][~seen] = np.nan
    np.testing.assert_array_equal(select(labelled=changed(LABELLED, **blind)).scores, select().scores)


def test_when_there_is_nothing_to_learn():
    x = np.random.default_rng(0).normal(size=(5, 3))
    pool = with_losses(x, np.ones(5), "p")
    for n in (0, 1):
        with pytest.raises(SelectionError, match=f"llal: .*two labelled frames or more, there are {n}"):
            select(pool, take(LABELLED, range(n)) if n else FrameSet([]))
    with pytest.raises(SelectionError, match=r"llal: no two of the 5 labelled frames .* differ in their loss"):
        select(pool, with_losses(x, np.ones(5)))
    with pytest.raises(SelectionError, match="llal: no two of the 0 labelled frames"):
        select(labelled=changed(LABELLED, roi_mask=np.zeros_like(LABELLED.feats["roi_mask"])))
    with pytest.raises(SelectionError, match="llal: all labelled frames have the same embedding"):
        select(pool, with_losses(np.ones((5, 3)) * 0.1, np.arange(1, 6)))
    two = select(pool, with_losses(x[:2], [1, 2]), 3)
    assert two.info == {"learned_from": 2, "pairs_ranked_rightly": None}


def test_faults_are_named():
    for pool, labelled, name in (
        (without(POOL, "embedding"), LABELLED, "pool carry no 'embedding'"),
        (POOL, without(LABELLED, "embedding"), "labelled frames carry no 'embedding'"),
        (POOL, without(LABELLED, "roi_logits"), "no 'roi_logits'"),
        (POOL, without(LABELLED, "targets"), "no 'targets'"),
        (changed(POOL, embedding=POOL.feats["embedding"][:, :5]), LABELLED, "8 values, of the pool 5"),
    ):
        with pytest.raises(SelectionError, match=f"llal: .*{name}"):
            select(pool, labelled)
    for frames in (POOL, LABELLED):
        broken = changed(frames, embedding=frames.feats["embedding"].copy())
        broken.feats["embedding"][6, 2] = np.nan
        sets = {"pool": broken} if frames is POOL else {"labelled": broken}
        with pytest.raises(SelectionError, match=f"llal: frame '{frames.ids[6]}': .*not finite"):
            select(**sets)
    with pytest.raises(SelectionError, match=r"llal: .*lower learning_rate"):
        select(learning_rate=1e30)
    for key, value in (("steps", 0), ("steps", 1.5), ("learning_rate", 0), ("weight_decay", -1)):
        with pytest.raises(ConfigError, match=rf"acquisition\.{key}"):
            LLAL(**{key: value})
