"""PyTorch yardstick for `npm run bench -- models`: a training step of ClimateLearn's ViT configuration (Nguyen et al. 2023).

32 x 64 points, 49 channels at three times in, 3 variables out, patch 2, width 128, depth 8, 4 heads, a head of two hidden layers:
1.76 million parameters. Written from that description. Prints one JSON line: median milliseconds of a step (forward, latitude-free
squared error, backward, AdamW) on all threads, and the number of parameters.

    OMP_WAIT_POLICY=PASSIVE OPENBLAS_NUM_THREADS=2 /usr/bin/python3 bench/peers/climatelearn_vit_torch.py --batch 16
"""

import argparse
import json
import math
import time

import torch
import torch.nn.functional as F
from torch import nn

parser = argparse.ArgumentParser()
for name, default in dict(batch=16, steps=5, threads=2).items():
    parser.add_argument(f"--{name}", type=int, default=default)
options = parser.parse_args()
torch.set_num_threads(options.threads)
MAPS, OUT, ROWS, COLUMNS, PATCH, WIDTH, DEPTH, HEADS = 147, 3, 32, 64, 2, 128, 8, 4
TOKENS = ROWS * COLUMNS // PATCH**2


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.before_attention, self.before_mlp = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x):
        size = WIDTH // HEADS
        q, k, v = self.qkv(self.before_attention(x)).view(-1, TOKENS, 3, HEADS, size).permute(2, 0, 3, 1, 4)
        weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(size), -1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(-1, TOKENS, WIDTH))
        return x + self.mlp(self.before_mlp(x))


class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(MAPS, WIDTH, PATCH, stride=PATCH)
        self.position = nn.Parameter(0.02 * torch.randn(TOKENS, WIDTH))
        self.layers = nn.Sequential(*[Layer() for _ in range(DEPTH)], nn.LayerNorm(WIDTH))
        hidden = [part for _ in range(2) for part in (nn.Linear(WIDTH, WIDTH), nn.GELU())]
        self.head = nn.Sequential(*hidden, nn.Linear(WIDTH, OUT * PATCH**2))

    def forward(self, maps):
        x = self.embed(maps).flatten(2).transpose(1, 2) + self.position
        y = self.head(self.layers(x)).view(-1, ROWS // PATCH, COLUMNS // PATCH, PATCH, PATCH, OUT)
        return y.permute(0, 5, 1, 3, 2, 4).reshape(-1, OUT, ROWS, COLUMNS)


model = Vit()
optimiser = torch.optim.AdamW(model.parameters(), 5e-4, betas=(0.9, 0.99), weight_decay=1e-5)
maps = torch.randn(options.batch, MAPS, ROWS, COLUMNS)
truth = torch.randn(options.batch, OUT, ROWS, COLUMNS)
seconds = []
for step in range(options.steps + 2):
    began = time.perf_counter()
    loss = F.mse_loss(model(maps), truth)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    if step >= 2:
        seconds.append(time.perf_counter() - began)
print(
    json.dumps(
        {
            "train_ms": 1e3 * sorted(seconds)[len(seconds) // 2],
            "parameters": sum(p.numel() for p in model.parameters()),
        }
    )
)
