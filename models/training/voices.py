"""Voices as a training task: the decoded pack, its degradations, its development split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.training.evaluate import summary
from models.training.export import write_onnx
from models.training.prepare_voices import default_cache
from models.training.voice_network import HOP, RATE, WINDOW, LogMel, VoiceEncoder, VoiceGraph
from models.training.voices_augment import (
    VoiceAugmentation,
    augment,
    babble,
    coloured_noise,
    mask,
    simulate_rooms,
    transform_length,
)

HELD_OUT_EVERY = 6
"""Every sixth LibriSpeech speaker stays out of training: a second, clean development set."""

HELD_OUT_CROP = 3 * 16_000

QUARTER = 4_000
"""Samples in a quarter of a second."""

MOMENT = 4 * HOP
"""Samples between two inner states of the network, and between two of the teacher's."""

NOISE_HELD_OUT_EVERY = 5
"""Every fifth noise clip stays out of training, for measurements."""


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled to unit Euclidean length."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(length, 1e-9)).astype(np.float32)


def held_out_speakers(index: dict[str, NDArray[Any]]) -> set[str]:
    """LibriSpeech speakers that are never trained on."""
    names = np.unique(index["speaker"][index["source"] == "libri"])
    return set(names[::HELD_OUT_EVERY].tolist())


class Recordings:
    """One decoded pack (``voices`` or a changed copy), its teacher embeddings and, if asked for, its moments."""

    def __init__(self, cache: Path, stem: str, teacher: str, moments: int = 0) -> None:
        self.index = dict(np.load(cache / f"{stem}-index.npz"))
        self.audio: NDArray[np.int16] = np.load(cache / f"{stem}.npy", mmap_mode="r")
        self.teacher: NDArray[np.float32] = np.load(cache / f"{stem}-{teacher}.npy")
        self.moments: NDArray[np.float16] | None = None
        if moments:
            self.moments = np.zeros((0, moments), np.float16)
            self.moment_ends = np.zeros(len(self.teacher), np.int64)
            if (cache / f"{stem}-moments.npy").exists():
                self.moments = np.load(cache / f"{stem}-moments.npy", mmap_mode="r")
                self.moment_ends = np.load(cache / f"{stem}-moments-ends.npy")

    def clip(self, row: int) -> NDArray[np.int16]:
        """A whole clip ``[T]``."""
        start = int(self.index["start"][row])
        return self.audio[start : start + int(self.index["length"][row])]

    def begin(self, row: int, samples: int, place: float) -> int:
        """Where a crop of ``samples`` begins; ``place`` 0..1 says where. On a moment, if there are any."""
        length = int(self.index["length"][row])
        begin = int(place * (length - samples if length >= samples else length))
        return begin if self.moments is None else begin // MOMENT * MOMENT

    def crop(self, row: int, samples: int, begin: int) -> NDArray[np.int16]:
        """``samples`` samples of a clip from ``begin`` on. Shorter clips are repeated."""
        clip = self.clip(row)
        if len(clip) >= samples:
            return clip[begin : begin + samples]
        return np.resize(np.roll(clip, -begin), samples)

    def moments_of(self, row: int, samples: int, begin: int) -> NDArray[np.float32]:
        """What the teacher says of each moment of a crop, ``[T, F]``; NaN where not asked and behind the clip's end."""
        assert self.moments is not None
        first = int(self.moment_ends[row - 1]) if row else 0
        known = self.moments[first + begin // MOMENT : int(self.moment_ends[row])][: samples // MOMENT]
        found = np.full((samples // MOMENT, self.moments.shape[1]), np.nan, np.float32)
        found[: len(known)] = known
        return found


class ResidentAudio:
    """All training clips and noises in the memory of a GPU, where crops are gathered by index."""

    def __init__(
        self, packs: list[Recordings], clips: NDArray[np.int64], noises: NDArray[np.int16], device: torch.device
    ) -> None:
        self.device = device
        self.grid = 1 if packs[0].moments is None else MOMENT
        before = np.cumsum([0, *(len(pack.audio) for pack in packs)])
        self.audio = torch.cat([torch.from_numpy(np.array(pack.audio)).to(device) for pack in packs])
        self.noises = torch.from_numpy(noises).to(device)
        starts = [before[copy] + packs[copy].index["start"][row] for copy, row in clips]
        lengths = [packs[copy].index["length"][row] for copy, row in clips]
        self.starts, self.lengths = np.array(starts, np.int64), np.array(lengths, np.int64)

    def _to_device(self, numbers: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(numbers).to(self.device, non_blocking=True)[:, None]

    def crops(
        self, clips: NDArray[np.int64], samples: int, chance: np.random.Generator
    ) -> tuple[Tensor, Tensor, NDArray[np.int64]]:
        """``samples`` of each clip, from a random place, and as many of a random noise, float32 ``[B, samples]`` both.

        The third answer is where the crops begin. ``clips`` are numbers of training clips. Shorter ones are repeated.
        """
        lengths = self.lengths[clips]
        room = np.where(lengths >= samples, lengths - samples + 1, lengths)
        offsets = (chance.random(len(clips)) * room).astype(np.int64) // self.grid * self.grid
        step = torch.arange(samples, device=self.device)
        inside = (self._to_device(offsets) + step) % self._to_device(lengths)
        speech = self.audio[self._to_device(self.starts[clips]) + inside].float() / 32768
        rows = chance.integers(len(self.noises), size=len(clips))
        begins = chance.integers(self.noises.shape[1] - samples, size=len(clips))
        return speech, self.noises[self._to_device(rows), self._to_device(begins) + step].float(), offsets


class VoiceTask:
    """Training clips (splits ``train`` and ``unlabelled``) and the development clips of the pack.

    The teacher's space is centred: a mean over the training clips is subtracted before the length is made
    one, and each labelled clip's target is drawn half-way to the mean of its speaker.

    A speaker is drawn in proportion to the square root of his or her seconds, so that a set of many speakers with
    one long clip each (LibriSpeech) is not drowned by one of few speakers and many clips.

    Options: ``cache`` (folder of ``prepare_voices``), ``teacher`` (name), ``speeds`` (perturbed copies to use; each
    counts as new speakers), ``nameless_speeds`` and ``changed`` (copies that are distilled only), ``speaker_share``
    (how far targets move to the speaker's mean, 0..1), ``source_share`` (how far the centre moves to that of the
    clip's source, 0..1, default 0), ``unlabelled`` (use clips without a speaker too, default
    true), ``bands`` (of the log-mel picture, default 64), ``moments`` (how many numbers a teacher says of each
    moment, as ``voice_moments`` wrote them for some or all copies, default 0: not used), ``babble`` (stretches of many
    voices among the noises, default 240).
    ``size`` of a stage is the crop in hundredths of a second.
    """

    def __init__(self, data: dict[str, Any], augmentation: dict[str, Any]) -> None:
        cache = Path(data["cache"]) if "cache" in data else default_cache()
        teacher = str(data.get("teacher", "resemblyzer"))
        named = ["voices", *(f"voices@{speed}" for speed in data.get("speeds", []))]
        stems = [*named, *(f"voices@{speed}" for speed in data.get("nameless_speeds", []))]
        stems += [f"voices~{number}" for number in data.get("changed", [])]
        self.recordings = [Recordings(cache, stem, teacher, int(data.get("moments", 0))) for stem in stems]
        if data.get("moments") and not any(len(pack.moment_ends) and pack.moment_ends[-1] for pack in self.recordings):
            raise FileNotFoundError(f"no moments of {', '.join(stems)} in {cache}: run models.training.voice_moments")
        self.teacher_frames: Tensor | None = None
        self.options = VoiceAugmentation(**augmentation)
        self.front_end = LogMel(int(data.get("bands", 64)))
        self.generator = np.random.default_rng(11)
        self._choose_rows(len(named), bool(data.get("unlabelled", True)))
        self.teacher: Tensor | None = torch.from_numpy(
            self._targets(float(data.get("speaker_share", 0.5)), float(data.get("source_share", 0.0)))
        )
        self.rooms = simulate_rooms(300, torch.Generator().manual_seed(7))
        self.room_spectra: dict[int, Tensor] = {}
        self.resident: ResidentAudio | None = None
        self.noises = self._noises(np.load(cache / "noises.npy", mmap_mode="r"), int(data.get("babble", 240)))

    def _choose_rows(self, named: int, unlabelled: bool) -> None:
        places, names, speakers = [], [], []
        for copy, pack in enumerate(self.recordings):
            index = pack.index
            outside = held_out_speakers(index)
            for row, (split, speaker) in enumerate(zip(index["split"], index["speaker"], strict=True)):
                if split == "dev" or speaker in outside or index["length"][row] < 8_000:
                    continue
                if not unlabelled and (split != "train" or copy >= named):
                    continue
                places.append((copy, row))
                speakers.append(f"{speaker}@{copy}" if split == "train" else f"{row}@{copy}")
                names.append(speakers[-1] if split == "train" and copy < named else "")
        known, number = np.unique(names, return_inverse=True)
        anonymous = int(known[0] == "")
        self.classes = len(known) - anonymous
        self.clips = np.array(places)
        self.clip_labels = number.astype(np.int64) - anonymous
        seconds = np.array([self.recordings[copy].index["length"][row] / RATE for copy, row in places])
        speaker = np.unique(speakers, return_inverse=True)[1]
        together = np.bincount(speaker, weights=seconds)[speaker]
        repeats = np.maximum(1, np.rint(3 * seconds / np.sqrt(together))).astype(np.int64)
        self.draws = np.repeat(np.arange(len(places)), repeats)
        self.labels = torch.from_numpy(self.clip_labels[self.draws])

    def _centres(self, raw: NDArray[np.float32], share: float) -> NDArray[np.float32]:
        """What is subtracted from the teacher's embedding of every row of the pack, ``[rows, D]``.

        The mean of all training clips, moved by ``share`` (0..1) to the mean of the row's own source: a source has
        its microphones and its language in common, and neither is a voice. Few people show little of what is common
        to a source, so its mean counts the less the fewer they are.
        """
        index = self.recordings[0].index
        sources, number = np.unique(index["source"], return_inverse=True)
        own = self.clips[:, 0] == 0
        rows, vectors = self.clips[own, 1], raw[own]
        centres = np.tile(vectors.mean(0), (len(sources), 1))
        for source in range(len(sources)):
            inside = number[rows] == source
            if inside.any():
                members = rows[inside]
                named = index["split"][members] == "train"
                people = len(np.unique(index["speaker"][members][named])) + int((~named).sum())
                centres[source] += share * people / (people + 15) * (vectors[inside].mean(0) - centres[source])
        return centres[number].astype(np.float32)

    def _targets(self, speaker_share: float, source_share: float) -> NDArray[np.float32]:
        raw = np.stack([self.recordings[copy].teacher[row] for copy, row in self.clips])
        centres = self._centres(raw, source_share)
        centred = unit(raw - centres[self.clips[:, 1]])
        pack = self.recordings[0]
        of_development = pack.index["split"] == "dev"
        self.dev_teacher: NDArray[np.float32] = unit(pack.teacher[of_development] - centres[of_development])
        labels = self.clip_labels
        known = labels >= 0
        means = np.zeros((self.classes, raw.shape[1]), np.float32)
        np.add.at(means, labels[known], centred[known])
        centred[known] = unit((1 - speaker_share) * centred[known] + speaker_share * unit(means)[labels[known]])
        return centred[self.draws]

    def waveforms(self, places: Tensor, samples: int) -> Tensor:
        """Clean crops ``[B, samples]`` of the training clips at ``places``."""
        chosen = self.clips[self.draws[places.numpy()]]
        return self._crops(chosen, samples, self._begins(chosen, samples))

    def _begins(self, chosen: NDArray[np.int64], samples: int) -> NDArray[np.int64]:
        """A random beginning of a crop for each of the ``chosen`` clips ``[B, 2]`` (copy, row)."""
        spots = self.generator.random(len(chosen))
        begins = [
            self.recordings[copy].begin(row, samples, spot) for (copy, row), spot in zip(chosen, spots, strict=True)
        ]
        return np.array(begins, np.int64)

    def _crops(self, chosen: NDArray[np.int64], samples: int, begins: NDArray[np.int64]) -> Tensor:
        crops = [
            self.recordings[copy].crop(row, samples, begin)
            for (copy, row), begin in zip(chosen, begins.tolist(), strict=True)
        ]
        return torch.from_numpy(np.stack(crops)).float() / 32768

    def _moments(self, chosen: NDArray[np.int64], samples: int, begins: NDArray[np.int64]) -> Tensor | None:
        if self.recordings[0].moments is None:
            return None
        found = [
            self.recordings[copy].moments_of(row, samples, begin)
            for (copy, row), begin in zip(chosen, begins.tolist(), strict=True)
        ]
        return torch.from_numpy(np.stack(found))

    def _noises(self, recorded: NDArray[np.int16], voices: int) -> NDArray[np.int16]:
        """Noise to add, ``[K, 80000]``: recordings, artificial noise, babble of training voices."""
        kept = recorded[np.arange(len(recorded)) % NOISE_HELD_OUT_EVERY != 0]
        samples = recorded.shape[1]
        speech = self.waveforms(torch.from_numpy(self.generator.integers(len(self.draws), size=voices)), samples)
        made = torch.cat([coloured_noise(120, samples), babble(speech)])
        made *= 0.1 / made.square().mean(1, keepdim=True).sqrt().clamp(min=1e-6)
        return np.concatenate([kept, (made.clamp(-1, 1) * 32767).numpy().astype(np.int16)])

    def environments(self, count: int, samples: int) -> Tensor:
        """Random stretches ``[count, samples]`` of noise."""
        rows = self.generator.integers(len(self.noises), size=count)
        starts = self.generator.integers(self.noises.shape[1] - samples, size=count)
        crops = [self.noises[row, start : start + samples] for row, start in zip(rows, starts, strict=True)]
        return torch.from_numpy(np.stack(crops)).float()

    def room_spectra_at(self, length: int, device: torch.device) -> Tensor:
        """Spectra of the rooms at a transform length, made when first asked for."""
        if length not in self.room_spectra:
            self.room_spectra = {length: torch.fft.rfft(self.rooms, length).to(device)}
        return self.room_spectra[length]

    @torch.no_grad()
    def inputs(self, places: Tensor, size: int, device: torch.device) -> Tensor:
        """Log-mel pictures ``[B, 1, bands, size]`` of freshly degraded crops."""
        samples = (size - 1) * HOP + WINDOW
        rooms = self.room_spectra_at(transform_length(samples), device)
        chosen = self.clips[self.draws[places.numpy()]]
        if device.type != "cpu":
            if self.resident is None:
                self.resident = ResidentAudio(self.recordings, self.clips, self.noises, device)
                self.front_end.to(device)
            speech, noise, begins = self.resident.crops(self.draws[places.numpy()], samples, self.generator)
            moments = self._moments(chosen, samples, begins)
            self.teacher_frames = None if moments is None else moments.to(device, non_blocking=True)
            degraded = augment(speech, noise, rooms, self.options)
            return mask(self.front_end(degraded), self.options.mask)
        begins = self._begins(chosen, samples)
        self.teacher_frames = self._moments(chosen, samples, begins)
        maps = []
        # A few crops at a time stay in the processor's cache.
        for at in range(0, len(chosen), 16):
            part = chosen[at : at + 16]
            speech = self._crops(part, samples, begins[at : at + 16])
            degraded = augment(speech, self.environments(len(part), samples), rooms, self.options)
            maps.append(self.front_end(degraded))
        return mask(torch.cat(maps), self.options.mask)

    def development_clips(self) -> tuple[list[NDArray[np.int16]], NDArray[np.int64]]:
        """The development clips and their subject numbers."""
        pack = self.recordings[0]
        rows = np.flatnonzero(pack.index["split"] == "dev")
        subjects = np.unique(pack.index["speaker"][rows], return_inverse=True)[1].astype(np.int64)
        return [pack.clip(int(row)) for row in rows], subjects

    def held_out_clips(self) -> tuple[list[NDArray[np.int16]], NDArray[np.int64]]:
        """Up to five crops of 3 s from every held-out LibriSpeech speaker (one recording each)."""
        pack = self.recordings[0]
        clips, subjects = [], []
        for number, speaker in enumerate(sorted(held_out_speakers(pack.index))):
            for row in np.flatnonzero(pack.index["speaker"] == speaker):
                clip = pack.clip(int(row))
                for part in range(min(5, len(clip) // HELD_OUT_CROP)):
                    clips.append(clip[part * HELD_OUT_CROP : (part + 1) * HELD_OUT_CROP])
                    subjects.append(number)
        return clips, np.array(subjects)

    @torch.no_grad()
    def embed(self, encoder: nn.Module, clips: list[NDArray[np.int16]], device: torch.device) -> NDArray[np.float32]:
        """Unit embeddings ``[N, D]`` of clips; equal lengths share a batch.

        Clips are cut to whole quarters of a second: few clips are equally long, and batches of one are slow.
        """
        encoder.eval()
        clips = [clip[: len(clip) // QUARTER * QUARTER or len(clip)] for clip in clips]
        found: dict[int, Tensor] = {}
        order = sorted(range(len(clips)), key=lambda number: len(clips[number]))
        while order:
            length = len(clips[order[0]])
            batch = [number for number in order[:64] if len(clips[number]) == length]
            order = order[len(batch) :]
            waveform = torch.from_numpy(np.stack([clips[number] for number in batch]).astype(np.float32) / 32768)
            maps = self.front_end.to(device)(waveform.to(device))
            with torch.autocast(device.type, dtype=torch.bfloat16):
                raw = encoder(maps)
            found |= dict(zip(batch, functional.normalize(raw.float(), dim=1).cpu(), strict=True))
        return torch.stack([found[number] for number in range(len(clips))]).numpy()

    def clean_embeddings(self, encoder: nn.Module, device: torch.device, count: int, seed: int) -> Tensor:
        """Unit-length embeddings ``[M, D]`` of at most ``count`` training clips, five seconds of each at most.

        Clips are drawn as training draws them, the changed copies aside.
        """
        own = np.unique(self.draws[self.clips[self.draws, 0] == 0])
        drawn = np.random.default_rng(seed).permutation(own)[:count]
        pack = self.recordings[0]
        return torch.from_numpy(
            self.embed(encoder, [pack.clip(int(row))[: 5 * RATE] for row in self.clips[drawn, 1]], device)
        )

    def evaluate(self, encoder: nn.Module, device: torch.device, rounds: int = 0, size: int = 0) -> dict[str, Any]:
        """Rates on the development split (whole clips, whatever ``size``); the held-out LibriSpeech EER beside it."""
        result = summary(*self.development(encoder, device), rounds)
        clips, subjects = self.held_out_clips()
        result["held_out_libri_eer"] = summary(self.embed(encoder, clips, device), subjects)["eer"]
        return result

    def development(
        self, encoder: nn.Module, device: torch.device, size: int = 0
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Embeddings ``[N, D]`` and subject numbers ``[N]`` of the development clips."""
        clips, subjects = self.development_clips()
        return self.embed(encoder, clips, device), subjects

    def export(self, encoder: nn.Module, path: Path, size: int = 0) -> None:
        """Write ``path`` with input ``waveform`` float32 ``[N, T]`` at 16 kHz, of any length."""
        assert isinstance(encoder, VoiceEncoder)
        export_voice(encoder, path)


def export_voice(encoder: VoiceEncoder, path: Path, *, half: bool = True) -> None:
    """Write a voice encoder: input ``waveform`` float32 ``[N, T]``, output ``embedding`` ``[N, D]``."""
    graph = VoiceGraph(encoder)
    graph.front_end.as_convolution = True
    example = torch.randn(2, 2 * RATE)
    write_onnx(graph, example, path, input_name="waveform", dynamic={0: "samples", 1: "time"}, half=half)
