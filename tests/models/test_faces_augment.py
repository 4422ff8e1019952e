"""Face degradations: range, geometry, and that each does what its name says."""

from __future__ import annotations

from dataclasses import fields

import pytest

torch = pytest.importorskip("torch", reason="the training extra (torch) is not installed")

from models.training import faces_augment as degrade  # noqa: E402
from models.training.faces_augment import FaceAugmentation  # noqa: E402

NOTHING = FaceAugmentation(**{item.name: 0.0 for item in fields(FaceAugmentation)})


def only(**shares: float) -> FaceAugmentation:
    return FaceAugmentation(**{item.name: shares.get(item.name, 0.0) for item in fields(FaceAugmentation)})


def stored(count: int = 6):
    """Smooth random pictures, uint8 ``[count, 128, 128, 3]``."""
    generator = torch.Generator().manual_seed(4)
    small = torch.rand(count, 3, 9, 9, generator=generator)
    large = torch.nn.functional.interpolate(small, (128, 128), mode="bicubic").clamp(0, 1)
    return (large.permute(0, 2, 3, 1) * 255).to(torch.uint8).contiguous()


def detail(images) -> float:
    """Mean step between neighbouring pixels."""
    return float((images[..., 1:] - images[..., :-1]).abs().mean())


@pytest.mark.parametrize("size", [48, 64, 80, 112])
def test_everything_at_once_stays_in_range_and_leaves_the_source_alone(size: int) -> None:
    torch.manual_seed(0)
    source = stored(32)
    before = source.clone()
    made = degrade.augment(source, size, FaceAugmentation())
    assert made.shape == (32, 3, size, size)
    assert made.dtype == torch.float32
    assert torch.isfinite(made).all()
    assert made.min() >= 0.0
    assert made.max() <= 255.0
    assert torch.equal(source, before)


@pytest.mark.parametrize("size", [64, 80, 112])
def test_a_jittered_crop_without_jitter_is_the_clean_crop(size: int) -> None:
    source = stored()
    clean = degrade.crop(source, size, None)
    unmoved = degrade.crop(source, size, NOTHING)
    assert (clean - unmoved).abs().mean() < 0.01
    assert torch.allclose(degrade.crop(source, 112, None)[0, :, 0, 0] * 255, source[0, 8, 8].float())


def test_a_flip_is_a_mirror_and_a_shift_moves_by_the_pixels_it_says() -> None:
    source = stored()
    mirrored = degrade.crop(source, 112, only(flip=1.0))
    assert (mirrored - degrade.crop(source, 112, None).flip(-1)).abs().mean() < 0.01
    torch.manual_seed(1)
    shifts = []
    ramp = torch.arange(128, dtype=torch.uint8)[None, None, :, None].expand(64, 128, 128, 3).contiguous()
    cut = degrade.crop(ramp, 112, only(shift=3.0)) * 255.0
    shifts = cut[:, 0, 56, 56] - 64.0
    assert 2.0 < shifts.std() < 4.0
    assert abs(float(shifts.mean())) < 1.5


@pytest.mark.parametrize("name", ["blur", "downsample", "jpeg"])
def test_what_loses_detail_loses_detail(name: str) -> None:
    torch.manual_seed(2)
    noisy = 0.5 + 0.06 * torch.rand(16, 3, 64, 64)
    function = {"blur": degrade.blur, "downsample": degrade.downsample, "jpeg": degrade.compress}[name]
    made = function(noisy.clone(), only(**{name: 1.0}))
    assert detail(made) < detail(noisy)
    assert not torch.equal(made, noisy)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (degrade.change_light, "light"),
        (degrade.change_colour, "colour"),
        (degrade.add_noise, "noise"),
        (degrade.occlude, "occlusion"),
    ],
)
def test_a_degradation_strikes_all_or_none_as_its_share_says(function, name: str) -> None:
    torch.manual_seed(3)
    images = torch.rand(8, 3, 32, 32) * 0.8 + 0.1
    assert torch.equal(function(images.clone(), NOTHING), images)
    made = function(images.clone(), only(**{name: 1.0}))
    assert all(not torch.equal(made[n], images[n]) for n in range(8))


def test_milder_means_less_of_everything_but_mirroring() -> None:
    full, mild = FaceAugmentation(), FaceAugmentation().milder()
    assert mild.flip == full.flip
    others = [item.name for item in fields(FaceAugmentation) if item.name != "flip"]
    assert all(0 < getattr(mild, name) < getattr(full, name) for name in others)


def test_grey_leaves_no_colour() -> None:
    made = degrade.change_colour(torch.rand(4, 3, 16, 16), only(grey=1.0))
    assert torch.allclose(made[:, 0], made[:, 2])


def test_the_cosine_basis_is_orthonormal() -> None:
    basis = degrade.cosine_basis()
    assert torch.allclose(basis @ basis.T, torch.eye(8), atol=1e-6)
