"""The voice recipe: the exported graph computes what was trained; degradations do what they say."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training extra (torch) is not installed")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from models.training import loop  # noqa: E402
from models.training import voices_augment as degrade  # noqa: E402
from models.training.backbones import build  # noqa: E402
from models.training.config import load, parse  # noqa: E402
from models.training.voice_network import HOP, WINDOW, LogMel, VoiceEncoder, VoiceGraph  # noqa: E402
from models.training.voices import (  # noqa: E402
    MOMENT,
    ResidentAudio,
    VoiceTask,
    export_voice,
    held_out_speakers,
)
from models.training.voices_quantise import quantise_voice  # noqa: E402

MODELS = Path(__file__).resolve().parents[2] / "models"
SMALL = {
    "voice-time": {"bands": 24, "stem": 4, "widths": [16, 24], "expansion": 32, "dimension": 12},
}


def sounds(count: int, samples: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(count, samples, generator=generator)
    return 0.1 * torch.cumsum(noise, 1).sub(torch.cumsum(noise, 1).mean(1, keepdim=True)) / samples**0.5 + 0.02 * noise


def run(path: Path, waveforms: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["embedding"], {"waveform": waveforms.numpy()})[0]


def room_spectra(samples: int) -> torch.Tensor:
    rooms = degrade.simulate_rooms(4, torch.Generator().manual_seed(0))
    return torch.fft.rfft(rooms, degrade.transform_length(samples))


def farthest(first: np.ndarray, second: np.ndarray) -> float:
    return float((1 - (first * second).sum(1)).max())


@pytest.fixture(params=sorted(SMALL))
def network(request: pytest.FixtureRequest) -> VoiceEncoder:
    """A small network whose normalisation statistics are not the trivial ones."""
    torch.manual_seed(0)
    made = build({"kind": request.param, **SMALL[request.param]})
    assert isinstance(made, VoiceEncoder)
    made.train()
    with torch.no_grad():
        for _ in range(5):
            made(torch.randn(8, 1, 24, 120) * 2)
    return made.eval()


def test_the_convolution_is_the_fourier_transform_of_training() -> None:
    front_end = LogMel(64)
    waveforms = sounds(3, 24_000)
    trained = front_end(waveforms)
    front_end.as_convolution = True
    assert trained.shape == (3, 1, 64, (24_000 - WINDOW) // HOP + 1)
    assert torch.allclose(front_end(waveforms), trained, atol=2e-3)


def test_the_spectrogram_ignores_loudness_and_has_no_mean() -> None:
    front_end = LogMel(64)
    waveforms = sounds(2, 20_000)
    maps = front_end(waveforms)
    assert torch.allclose(maps, front_end(waveforms * 40), atol=1e-3)
    assert maps.mean(3).abs().max() < 1e-4


def test_a_tone_lights_the_band_that_holds_it() -> None:
    front_end = LogMel(64)
    time = torch.arange(16_000) / 16_000
    for hertz in (300.0, 1_000.0, 3_000.0):
        tone = torch.sin(2 * torch.pi * hertz * time)[None]
        band = int(torch.matmul(front_end.filters, front_end.power(tone)).mean(2).argmax())
        centre = float((front_end.filters[band] * torch.arange(257)).sum() / front_end.filters[band].sum() * 31.25)
        assert abs(centre - hertz) < 0.12 * hertz + 40


@pytest.mark.parametrize("half", [True, False])
@pytest.mark.parametrize("samples", [16_000, 23_457, 64_000])
def test_the_exported_graph_agrees_with_the_network(
    network: VoiceEncoder, tmp_path: Path, samples: int, half: bool
) -> None:
    export_voice(network, tmp_path / "model.onnx", half=half)
    waveforms = sounds(2, samples)
    with torch.no_grad():
        wanted = VoiceGraph(network).eval()(waveforms).numpy()
    assert farthest(run(tmp_path / "model.onnx", waveforms), wanted) <= 1e-4


def test_the_int8_variant_points_where_the_float_one_does(network: VoiceEncoder, tmp_path: Path) -> None:
    export_voice(network, tmp_path / "trained.onnx")
    quantise_voice(tmp_path / "trained.onnx", tmp_path / "model.onnx", sounds(30, 24_000, seed=1).numpy())
    waveforms = sounds(6, 30_000, seed=2)
    wanted, found = run(tmp_path / "trained.onnx", waveforms), run(tmp_path / "model.onnx", waveforms)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-4)
    assert farthest(found, wanted) < 0.02


def test_the_shipped_convolutions_hold_seven_bit_weights() -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(MODELS / "voice-encoder" / "model.onnx"))
    tensors = [onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer]
    kernels = [values for values in tensors if values.dtype == np.int8 and values.ndim > 2]
    assert len(kernels) >= 10
    assert all(np.abs(values.astype(np.int16)).max() <= 64 for values in kernels)


def test_the_recipe_is_valid_and_names_the_shipped_dimension() -> None:
    experiment = load(MODELS / "training" / "voice.toml")
    tables = tomllib.loads((MODELS / "manifest.toml").read_text(encoding="utf-8"))["model"]
    entry = next(table for table in tables if table["name"] == "voice-encoder")
    assert experiment.backbone["dimension"] == entry["dimension"]


def test_noise_is_mixed_at_the_ratio_asked_for() -> None:
    torch.manual_seed(1)
    options = degrade.VoiceAugmentation(noise=1.0, snr=(5.0, 5.0))
    speech, noise = sounds(6, 16_000), torch.randn(6, 16_000)
    added = degrade.add_noise(speech, noise, options) - speech
    ratio = 10 * torch.log10(speech.square().mean(1) / added.square().mean(1))
    assert torch.allclose(ratio, torch.full((6,), 5.0), atol=0.05)


def test_the_telephone_keeps_its_band_and_nothing_else() -> None:
    only = degrade.VoiceAugmentation(room=0, telephone=1, low_pass=0, tilt=0, noise=0, clipping=0, coarse=0)
    response = degrade.channel(2, only, torch.device("cpu"))
    hertz = torch.linspace(0, 8_000, 257)
    assert response[:, (hertz > 500) & (hertz < 2_800)].min() > 0.8
    assert response[:, hertz > 4_500].max() < 0.1
    assert response[:, hertz < 100].max() < 0.1


def test_degrading_nothing_changes_nothing() -> None:
    nothing = degrade.VoiceAugmentation(room=0, telephone=0, low_pass=0, tilt=0, noise=0, clipping=0, coarse=0)
    speech = sounds(3, 20_000)
    rooms = room_spectra(20_000)
    assert torch.allclose(degrade.augment(speech, torch.zeros_like(speech), rooms, nothing), speech, atol=1e-5)


def test_everything_at_once_stays_finite_and_keeps_its_shape() -> None:
    torch.manual_seed(3)
    every = degrade.VoiceAugmentation(1, 1, 1, 1, 1, (0.0, 20.0), 1, 1)
    speech = sounds(8, 32_240)
    speech[0] = 0.0
    rooms = room_spectra(32_240)
    degraded = degrade.augment(speech, torch.randn_like(speech), rooms, every)
    assert degraded.shape == speech.shape
    assert torch.isfinite(degraded).all()


def test_a_room_smears_a_click_into_what_follows() -> None:
    torch.manual_seed(2)
    only = degrade.VoiceAugmentation(room=1, telephone=0, low_pass=0, tilt=0, noise=0, clipping=0, coarse=0)
    click = torch.zeros(2, 16_000)
    click[:, 4_000] = 1.0
    heard = degrade.augment(click, torch.zeros_like(click), room_spectra(16_000), only)
    assert (heard[:, :3_990].square().sum(1) < 1e-6).all()
    assert (heard[:, 4_010:].square().sum(1) > 0.01).all()


def test_babble_mixes_several_voices_of_equal_loudness() -> None:
    torch.manual_seed(6)
    voices = torch.nn.functional.one_hot(torch.arange(40), 40).float() * torch.linspace(0.1, 3, 40)[:, None]
    heard = (degrade.babble(voices) > 0).sum(1)
    assert heard.min() >= 1
    assert heard.max() <= 6
    assert 2.5 < heard.float().mean() < 4


def test_masks_hide_some_pictures_and_leave_the_rest() -> None:
    torch.manual_seed(4)
    maps = torch.ones(200, 1, 64, 100)
    hidden = (degrade.mask(maps, 0.5) == 0).flatten(1).any(1)
    assert 60 < int(hidden.sum()) < 140
    assert torch.equal(degrade.mask(maps, 0.0), maps)


def test_rooms_begin_with_the_direct_sound_and_have_unit_energy() -> None:
    rooms = degrade.simulate_rooms(20, torch.Generator().manual_seed(0))
    assert torch.allclose(rooms.square().sum(1), torch.ones(20), atol=1e-4)
    assert (rooms.abs().argmax(1) == 0).float().mean() > 0.8


def test_held_out_readers_are_a_sixth_of_librispeech_and_nobody_else() -> None:
    speakers = np.array([f"libri_{number:03d}" for number in range(60)] + ["ocean_1", "ocean_2"])
    sources = np.array(["libri"] * 60 + ["ocean"] * 2)
    outside = held_out_speakers({"speaker": speakers, "source": sources})
    assert len(outside) == 10
    assert all(name.startswith("libri") for name in outside)


def small_pack(cache: Path) -> None:
    """Forty voices in each of two sources; what a source has in common is large in the teacher's space."""
    chance = np.random.default_rng(2)
    count, samples = 80, 16_000
    source = np.repeat(["one", "two"], count // 2)
    np.save(cache / "voices.npy", chance.integers(-9_000, 9_000, count * samples).astype(np.int16))
    np.savez(
        cache / "voices-index.npz",
        start=np.arange(count) * samples,
        length=np.full(count, samples),
        source=source,
        speaker=np.array([f"{name}_{number}" for number, name in enumerate(source)]),
        split=np.where(np.arange(count) % 40 == 0, "dev", "train"),
    )
    common = np.where(source == "one", 1.0, -1.0)[:, None] * np.eye(12)[0]
    vectors = common + 0.3 * chance.normal(size=(count, 12))
    np.save(cache / "voices-resemblyzer.npy", (vectors / np.linalg.norm(vectors, axis=1)[:, None]).astype(np.float32))
    np.save(cache / "noises.npy", chance.integers(-9_000, 9_000, (10, 80_000)).astype(np.int16))


def test_what_a_source_has_in_common_is_taken_from_its_targets(tmp_path: Path) -> None:
    small_pack(tmp_path)
    shift = {}
    for share in (0.0, 1.0):
        task = VoiceTask({"cache": tmp_path, "bands": 24, "speaker_share": 0.0, "source_share": share}, {})
        assert task.classes == 78
        assert task.teacher is not None
        sources = task.recordings[0].index["source"][task.clips[task.draws, 1]]
        shift[share] = float(task.teacher[torch.from_numpy(sources == "one")].mean(0).norm())
        assert task.dev_teacher.shape == (2, 12)
    assert shift[0.0] > 0.6
    assert shift[1.0] < 0.6 * shift[0.0]


def test_a_batch_of_training_is_degraded_pictures_of_the_size_asked_for(tmp_path: Path) -> None:
    small_pack(tmp_path)
    task = VoiceTask({"cache": tmp_path, "bands": 24}, {})
    torch.manual_seed(0)
    maps = task.inputs(torch.arange(20), 110, torch.device("cpu"))
    assert maps.shape == (20, 1, 24, 110)
    assert torch.isfinite(maps).all()
    assert maps.std() > 0.1


def pack_with_moments(cache: Path) -> None:
    """The small pack, where what the teacher says of a moment is the number of the clip and of the moment."""
    small_pack(cache)
    each = 24
    told = np.stack(np.meshgrid(np.arange(80), np.arange(each), indexing="ij"), 2).reshape(-1, 2)
    np.save(cache / "voices-moments.npy", told.astype(np.float16))
    np.save(cache / "voices-moments-ends.npy", each * np.arange(1, 81))


def test_moments_belong_to_the_crop_that_the_network_sees(tmp_path: Path) -> None:
    pack_with_moments(tmp_path)
    task = VoiceTask({"cache": tmp_path, "bands": 24, "moments": 2}, {})
    pack = task.recordings[0]
    for place in (0.0, 0.37, 0.99):
        begin = pack.begin(3, 6_400, place)
        assert begin % MOMENT == 0
        assert (pack.crop(3, 6_400, begin) == pack.clip(3)[begin : begin + 6_400]).all()
        told = pack.moments_of(3, 6_400, begin)
        assert told.shape == (10, 2)
        assert (told[:, 0] == 3).all()
        assert (told[:, 1] == begin // MOMENT + np.arange(10)).all()
    begin = pack.begin(3, 20_000, 0.5)
    clip = pack.crop(3, 20_000, begin)
    assert (clip[: 16_000 - begin] == pack.clip(3)[begin:]).all(), "a short clip begins there and is repeated"
    told = pack.moments_of(3, 20_000, begin)
    known = np.isfinite(told[:, 1])
    assert (told[known, 1] == np.arange(begin // MOMENT, 24)).all()
    assert not known[24 - begin // MOMENT :].any()


def test_a_batch_brings_the_moments_of_its_own_clips(tmp_path: Path) -> None:
    pack_with_moments(tmp_path)
    task = VoiceTask({"cache": tmp_path, "bands": 24, "moments": 2}, {})
    places = torch.tensor([5, 70, 11])
    task.inputs(places, 52, torch.device("cpu"))
    assert task.teacher_frames is not None
    assert task.teacher_frames.shape == (3, 13, 2)
    rows = task.clips[task.draws[places.numpy()], 1]
    assert (task.teacher_frames[:, 0, 0].numpy() == rows).all()
    assert VoiceTask({"cache": tmp_path, "bands": 24}, {}).teacher_frames is None


def test_moments_that_nobody_wrote_are_asked_for(tmp_path: Path) -> None:
    small_pack(tmp_path)
    with pytest.raises(FileNotFoundError, match="voice_moments"):
        VoiceTask({"cache": tmp_path, "bands": 24, "moments": 2}, {})


def test_a_step_teaches_the_reader_of_moments(tmp_path: Path) -> None:
    pack_with_moments(tmp_path)
    backbone = {"kind": "voice-time", **SMALL["voice-time"]}
    given = parse(
        {
            "name": "moments",
            "task": "voices",
            "minutes": 0.0,
            "samples": 64,
            "backbone": backbone,
            "objectives": {"distillation": {}, "frame_distillation": {"channels": 24, "features": 2}},
            "stage": [
                {"until": 1.0, "size": 52, "batch": 16, "weights": {"distillation": 1.0, "frame_distillation": 1.0}}
            ],
        }
    )
    trainer = loop.Trainer(given, VoiceTask({"cache": tmp_path, "bands": 24, "moments": 2}, {}), torch.device("cpu"))
    reader = trainer.objectives.parts["frame_distillation"].reader
    before = reader.weight.detach().clone()
    values = trainer.step()
    assert torch.isfinite(values["frame_distillation"])
    assert (reader.weight != before).any()


class Pack:
    """Clips one after the other, as a decoded pack keeps them."""

    moments = None

    def __init__(self, clips: list[np.ndarray]) -> None:
        lengths = np.array([len(clip) for clip in clips])
        self.audio = np.concatenate(clips).astype(np.int16)
        self.index = {"start": np.cumsum(lengths) - lengths, "length": lengths}


def test_crops_gathered_on_a_device_lie_inside_their_clips() -> None:
    long, short = np.arange(1_000, 6_000), np.arange(-300, -50)
    packs = [Pack([np.full(70, 9), long]), Pack([short])]
    noises = np.arange(4 * 2_000).reshape(4, 2_000).astype(np.int16)
    places = np.array([(0, 1), (1, 0)])
    audio = ResidentAudio(packs, places, noises, torch.device("cpu"))  # type: ignore[arg-type]
    speech, noise, begins = audio.crops(np.array([0, 1, 0, 1]), 800, np.random.default_rng(0))
    found = (speech * 32768).round().numpy()
    assert (found[[0, 2], 0] == 1_000 + begins[[0, 2]]).all()
    assert (np.diff(found[[0, 2]], axis=1) == 1).all(), "a long clip gives a stretch of it"
    assert found[[0, 2]].min() >= 1_000
    assert found[[0, 2]].max() < 6_000
    assert set(found[1]) == set(short), "a short clip is repeated"
    assert (np.isin(np.diff(found[1]), (1, 1 - len(short)))).all()
    assert (np.diff(noise.numpy(), axis=1) == 1).all()
    assert found[0, 0] != found[2, 0], "each time from another place"


def test_clean_embeddings_are_those_of_training_clips_alone(tmp_path: Path, network: VoiceEncoder) -> None:
    small_pack(tmp_path)
    task = VoiceTask({"cache": tmp_path, "bands": 24}, {})
    found = task.clean_embeddings(network, torch.device("cpu"), 1_000, seed=4)
    taught = task.embed(network, [task.recordings[0].clip(int(row)) for row in task.clips[:, 1]], torch.device("cpu"))
    assert found.shape == (78, 12)
    assert float((found @ torch.from_numpy(taught).T).max(1).values.min()) > 0.999
    assert task.clean_embeddings(network, torch.device("cpu"), 5, seed=4).shape == (5, 12)
