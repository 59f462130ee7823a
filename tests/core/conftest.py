"""What tests of the core share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.core import native


@pytest.fixture(scope="module", params=["native", "arrow"])
def either_way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Once with the C kernels, once without them, as where no compiler was: for modules to ask for."""
    if request.param == "native":
        if native.kernels is None:
            pytest.skip("the C kernels are not built")
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "kernels", None)
        yield
