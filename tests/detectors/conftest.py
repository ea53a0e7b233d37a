import pytest
import torch


@pytest.fixture(autouse=True, scope="package")
def one_thread():
    """Tiny grids gain nothing from threads, and lose much where another process holds a core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
