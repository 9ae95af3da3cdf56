"""Streamed chunks equal those of rows that are all on the device, whatever the tempo."""

import pytest
import torch

from framesweep.config import DataConfig
from framesweep.data.chunks import FrameChunks
from framesweep.data.store.frame_store import open_store
from framesweep.data.streamed_chunks import StreamedChunks
from framesweep.distributed.collectives import ProcessGroup
from framesweep.training.samplers import ChunkSampler
from toy import ToyCorpus

CPU = torch.device("cpu")


@pytest.mark.parametrize("padding", ["zero", "cross"])
@pytest.mark.parametrize("tempo", [0.0, 0.3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [1, 2])
def test_every_batch_of_an_epoch_is_the_same(tmp_path, padding, tempo, dtype, size):
    config = DataConfig(context=5, padding=padding)
    split = open_store(config, ToyCorpus(), tmp_path).splits["train"]
    plain = FrameChunks(split, 5, 12, 2, CPU, dtype, tempo)
    streamed = StreamedChunks(split, 5, 12, 2, CPU, dtype, tempo, batch_chunks=4)
    for epoch in (1, 2):
        order = ChunkSampler(3, epoch, plain.num_rows, plain.chunk_frames)
        sampler = ChunkSampler(3, epoch, plain.num_rows, plain.chunk_frames, CPU, streamed.hold)
        for first in range(0, plain.num_items, 4):
            starts = sampler.indices(first, 4)
            assert torch.equal(starts, order.indices(first, 4))
            for rank in range(size):
                own, shard = ProcessGroup(rank, size).shard(starts)
                batches = []
                for chunks in (plain, streamed):
                    torch.manual_seed(first)
                    batches.append(chunks.batch(own, shard))
                (inputs, labels), (streamed_inputs, streamed_labels) = batches
                assert torch.equal(streamed_inputs, inputs)
                assert torch.equal(streamed_labels, labels)


def test_an_epoch_can_be_entered_anywhere(tmp_path):
    split = open_store(DataConfig(context=5), ToyCorpus(), tmp_path).splits["train"]
    plain = FrameChunks(split, 5, 12, 2, CPU)
    streamed = StreamedChunks(split, 5, 12, 2, CPU, batch_chunks=4)
    sampler = ChunkSampler(3, 1, plain.num_rows, plain.chunk_frames, CPU, streamed.hold)
    for first in (8, 0, 4):
        starts = sampler.indices(first, 4)
        assert torch.equal(streamed.batch(starts)[0], plain.batch(starts)[0])
