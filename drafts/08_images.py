# %% [markdown]
# # 08 · Images in practice: four machines that draw a digit
#
# *read 0 min · do 0 min · run 0 s*
#
# **Of the ways to make a picture, which is best, and at what?**
#
# The article that this course follows and corrects (*the article*) has one program that makes images: a GAN for the
# handwritten digits of MNIST. It has a generator. It has no discriminator, no loop, and a validation set that nothing
# looks at; of the training it says that it was left out. If you write the missing parts and press *run*, it stops at
# the first batch with an error about shapes.
#
# We begin with this error, because it teaches how a picture grows in a network. Then we make the program right, make
# it good, and set three other machines beside it: one that goes through a bottleneck, one that begins with noise, and
# in the end the real code of one that draws what a sentence says.
#
# ## What you need
#
# Chapter 04 (the two players, R1, the lag). Chapter 02 (guidance is Bayes' formula). A convolution: a small window of
# weights that slides over an image.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from aigc import course, data, released, sample, show
from aigc.codecs import images
from aigc.evaluate.image import frechet, judged, kernel_distance, nearest, precision_recall
from aigc.models import flow, gan, vae
from aigc.train import Recipe, train

device = course.start("08")
show.style()
x, labels = data.digits()
x, labels = images.encode(x), torch.tensor(labels)
dice = lambda: torch.Generator().manual_seed(course.seed())

# %% [markdown]
# ## What we will measure
#
# | machine | what we measure | the baseline |
# |:--|:--|:--|
# | the article's GAN, made right | what its detective thinks of images that it has not seen | of those that it has |
# | a GAN that is told the label | digits that are read as what was asked for | one in ten |
# | a bottleneck | how much paper is neither black nor white | real digits |
# | from noise | distance from real digits, by steps | one step |
# | all four, after the same time | FID, KID, precision, recall, labels, seconds | held-out digits |
#
# *Predict 1.* The article's generator begins with 7 × 7 pixels and doubles the side three times. How large are its
# images, and how large are those of MNIST?

# %%
show.diagram(
    {
        "noise": (0, 0.5),
        "GAN: one step": (1, 1, "model"),
        "VAE: a bottleneck": (1, 0.5, "model"),
        "flow: many steps": (1, 0, "model"),
        "digit": (2, 0.5),
        "judge": (3, 0.5, "baseline"),
    },
    [
        ("noise", "GAN: one step"),
        ("noise", "VAE: a bottleneck"),
        ("noise", "flow: many steps"),
        ("GAN: one step", "digit"),
        ("VAE: a bottleneck", "digit"),
        ("flow: many steps", "digit"),
        ("digit", "judge"),
    ],
    alt="Noise goes through one of three machines, a GAN in one step, a VAE behind its bottleneck, or a flow in many "
    "steps, and becomes a digit, which a judge measures.",
)

# %% [markdown]
# ## 1 · As printed
#
# *Why does the article's program stop?* Here is its generator in the article's manner, and the step that any GAN takes
# first: show the detective a real image and a forged one.


# %%
class AsPrinted(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(100, 64 * 7 * 7)
        self.deconv1 = nn.ConvTranspose2d(64, 32, kernel_size=4, stride=2, padding=1)
        self.deconv2 = nn.ConvTranspose2d(32, 16, kernel_size=4, stride=2, padding=1)
        self.deconv3 = nn.ConvTranspose2d(16, 1, kernel_size=4, stride=2, padding=1)

    def forward(self, z):
        h = F.relu(self.fc(z).view(-1, 64, 7, 7))
        return torch.tanh(self.deconv3(F.relu(self.deconv2(F.relu(self.deconv1(h))))))


detective = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 1))  # any that knows what a digit is
fake = AsPrinted()(torch.randn(8, 100))
detective(x[:8])
try:
    detective(fake)
    raise AssertionError("the forgeries were accepted")
except RuntimeError as error:
    print("stopped:", str(error).split("(")[0])
print("real:", tuple(x[:8].shape), " forged:", tuple(fake.shape))
assert fake.shape[-1] == 56 == 2 * x.shape[-1]

# %% [markdown]
# *Answer 1.* 7 · 2 · 2 · 2 = 56; those of MNIST have 28. The program doubles once too often.
#
# A convolution with a window of $k$ pixels that moves by $s$ and has $p$ pixels of margin makes $n$ pixels into
# $\lfloor (n + 2p - k)/s \rfloor + 1$. The transposed one (转置卷积, transposed convolution) is called so because, as a
# matrix, it *is* the transposed: it spreads each pixel over a window, $s$ pixels apart. So it goes back the other way:
#
# $$n' = (n - 1)\,s - 2p + k \tag{8.1}$$
#
# In code, `grown`. By hand, for $k = 4$, $s = 2$, $p = 1$: $2(n - 1) - 2 + 4 = 2n$. Each layer doubles the side exactly.
# With $k = 3$ it would be $2n - 1$: 13 pixels from 7. That is why so much code has windows of four.


# %%
def grown(n: int, k: int, s: int, p: int) -> int:
    return (n - 1) * s - 2 * p + k  # (8.1)


for n, k, s, p in [(7, 4, 2, 1), (7, 3, 2, 1), (5, 5, 3, 0), (9, 2, 1, 0)]:
    layer = nn.ConvTranspose2d(1, 1, k, stride=s, padding=p)
    assert layer(torch.zeros(1, 1, n, n)).shape[-1] == grown(n, k, s, p)
sides = [7]
for _ in range(3):
    sides.append(grown(sides[-1], 4, 2, 1))
print("sides of the article's images, layer by layer:", sides)

# The transposed convolution is the transposed matrix of the convolution
window, small, large = torch.randn(1, 1, 4, 4), torch.randn(1, 1, 7, 7), torch.randn(1, 1, 14, 14)
down = (F.conv2d(large, window, stride=2, padding=1) * small).sum()
up = (large * F.conv_transpose2d(small, window, stride=2, padding=1)).sum()
assert torch.allclose(down, up, atol=1e-4)  # <A x, y> = <x, A^T y>

# %% [markdown]
# The remedy is to double twice, and to draw the last layer with an ordinary 3 × 3 window. What else is missing? A
# device. One transform for all images, the same for training and for looking: bytes to $[-1, 1]$, because the
# generator ends in $\tanh$ (ours is `images.encode`; *once*: who scales twice trains on grey fog). A loader that mixes
# the images. A detective. And the loop of chapter 04, in turns.
#
# The article sets validation images aside, and no line reads them. A generator cannot be validated so: it never
# claims anything about an image. But the *detective* does. It has seen each training image many times, so is it
# sure of *real*, or sure of *seen*? We give it only 300 images and watch what it says about 500 others.
#
# *Predict 2.* After 60 rounds through 300 images, the detective is shown a real digit that it has never seen. Real or
# forged?

# %%
from torch.utils.data import DataLoader, TensorDataset


def right_generator() -> nn.Module:
    return nn.Sequential(
        nn.Linear(100, 64 * 7 * 7), nn.Unflatten(1, (64, 7, 7)), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1), nn.ReLU(),  # 7 -> 14
        nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1), nn.ReLU(),  # 14 -> 28
        nn.Conv2d(16, 1, 3, padding=1), nn.Tanh(),
    )  # fmt: skip


def detective_of_images() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
        nn.Conv2d(16, 32, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 1), nn.Flatten(0),
    )  # fmt: skip


# %%
seen, unseen = x[:300].to(device), images.encode(data.digits("validation")[0]).to(device)
G, D = right_generator().to(device), detective_of_images().to(device)
for_G, for_D = (torch.optim.Adam(part.parameters(), 1e-3, (0.5, 0.99)) for part in (G, D))
loader = DataLoader(TensorDataset(seen), batch_size=50, shuffle=True, generator=dice())
believes = {"seen": [], "not seen": [], "forged": []}  # how often D says "real"
for _ in range(60):
    for (real,) in loader:
        forged = G(torch.randn(len(real), 100, device=device))
        for_D.zero_grad()
        gan.cross_entropy(D(real), D(forged.detach())).backward()
        for_D.step()
        for_G.zero_grad()
        gan.non_saturating(D(forged)).backward()
        for_G.step()
    with torch.no_grad():
        for name, shown in zip(believes, (seen, unseen, G(torch.randn(500, 100, device=device)))):
            believes[name].append((D(shown) > 0).float().mean().item())

# %% tags=["nbval-ignore-output"]
fig, ax = plt.subplots()
for (name, values), color in zip(believes.items(), (show.INK, show.WATER, show.SUNSET)):
    ax.plot(values, color=color, label=name)
ax.set(xlabel="rounds through 300 images", ylabel='share called "real"', ylim=(-0.03, 1.03))
ax.legend(loc="center right")
show.figure(
    fig,
    alt="The detective calls all seen digits real; of digits that it has not seen it takes a growing part for forged.",
)

# %%
late = {name: float(np.mean(values[-10:])) for name, values in believes.items()}
assert late["seen"] > late["not seen"] > late["forged"]

# %% [markdown]
# *Answer 2.* The validation set tells on it: the detective trusts what it has seen, and takes a part of the others for
# forgeries. Its compliment "real" slowly turns into "I know this one", and what a generator learns from such a
# detective is to make the 300. This is the number that the article's unused split could have shown, and the
# reason why the next section disturbs what the detective sees.
#
# ## 2 · Told what to draw
#
# *What makes a GAN good in one minute?*
# Both players are told the label $y$: the forger has to make a seven, and the detective knows that it should be one.
# How should a detective use a label? What it wants to know is the logarithm of $p(x, y) / q(x, y)$ (chapter 04), and
# the chain rule parts it (Miyato & Koyama 2018):
#
# $$D(x, y) = \log \frac{p(x)}{q(x)} + \log \frac{p(y \mid x)}{q(y \mid x)} \approx w \cdot h(x) + e_y \cdot h(x)
# \tag{8.2}$$
#
# where $h(x)$ are the features that the detective's layers make of an image, and $w$ and $e_y$ are learnt. The first
# part asks *is this a digit*, the second *is it this one*: one vector for each label, and a dot product. This is
# `gan.Detective`. *Pencil: two labels with opposite vectors, $e_1 = -e_0$, and an image for which $e_0 \cdot h = 2$.
# How much does its score change with the label? 4.*

# %%
told = gan.GAN(gan.Config((1, 28, 28), noise=64, width=32, labels=10, statistic=True)).to(device)
with torch.no_grad():
    h = told.D.hidden(x[:5].to(device))
    table = told.D.fit.weight
    for y in (3, 8):
        with_label = told.D(x[:5].to(device), torch.full((5,), y, device=device))
        without = with_label - h @ table[y]
        if y == 3:
            first = without
assert torch.allclose(first, without, atol=1e-4)  # (8.2): only the second part knows the label

# %% [markdown]
# Then what chapter 04 found, and one thing that it did not need. **R1** keeps the detective's slope small at real images.
# A **moving average** (滑动平均) of the generator's weights draws at the end. The **minibatch statistic** tells the
# detective how much the images of a batch differ. New is to **disturb** all that the detective sees, real and forged
# alike, here by one pixel up or down, left or right (Zhao et al. 2020): it cannot know 4,000 images by heart that
# never look twice the same. It has to be *both*: were only the real ones shifted, the generator would learn to shift.
#
# *Predict 3.* Ten seconds, about three hundred steps. How many of a hundred digits does the judge read as what was
# asked for? One in ten is chance.


# %%
def step(model, step, generator):
    at = torch.randint(len(x), (64,), generator=generator)
    gamma = 0 if step % 4 else 4.0  # R1 in every fourth step, four times
    shifted = lambda x, generator: images.shifted(x, 1, generator)
    real, y = x[at].to(device), labels[at].to(device)
    return gan.loss(model, real, generator, gamma=gamma, labels=y, change=shifted)


recipe = Recipe(steps=250, lr=4e-3, momentum=0.0, ema=0.98, fast=True, seed=course.seed())
history = train(told, step, recipe, progress=False)

# %%
judge, _ = released.load("judge")
wanted = torch.arange(100) % 10
young = images.decode(told.draw(100, dice(), wanted.to(device)).cpu())
show.images(young[:20], labels=wanted[:20].tolist(), alt="Twenty digits of a GAN after ten seconds, two of each.")
read = (judged(judge, young)[1] == wanted).float().mean().item()
course.expect("08.young_gan", read, baseline=0.1)

# %% [markdown]
# *Answer 3.* Most of them. The judge is a small classifier that the course ships: it read 4,000 digits, disturbed a
# little, and errs on one in a hundred that it has not seen.
#
# What did each change buy? That takes a minute of training for each, so it stands in a benchmark:
# `python -m benchmarks.image --steps --out DIR`. Each line adds one thing to the line before.

# %% [markdown]
# ## 3 · A bottleneck
#
# *Why are the pictures of an autoencoder blurred?* A **variational autoencoder** (变分自编码器, VAE) makes an image
# into sixteen numbers $z$ and these into an image again. Chapter 05 derives it; here is what it does. An encoder says
# where $z$ may lie, $q(z \mid x, y) = N(\mu, \sigma_z^2)$; a decoder draws the middle $m(z, y)$ of an image, each of
# whose pixels is normal with one spread $\sigma$. It learns from a bound on how probable it finds its image (Kingma &
# Welling 2014):
#
# $$\log p(x \mid y) \ge \mathbb{E}_{z \sim q} \log N\big(x;\ m(z, y),\ \sigma^2\big)
# - \mathrm{KL}\big(q(z \mid x, y) \,\|\, N(0, 1)\big) \tag{8.3}$$
#
# This is `vae.elbo`: draw well what you were shown, and say in $z$ as little as possible, so that a $z$ that nobody
# encoded, drawn from $N(0, 1)$, gives a digit too.
#
# *Pencil: half of all images have a black pixel (-1) at some place and half a white one (1), and $z$ does not tell which.
# Which middle is best? With the squared error, 0: grey. No image is grey there.* This is the blur: where $z$ does not
# decide, the decoder draws the mean of what it could be.
#
# *Predict 4.* A tenth of the pixels of real digits are neither nearly black nor nearly white. Of the decoder's?

# %%
squeezer, _ = released.load("vae")
test, test_labels = data.digits("test")
real, told_to = images.encode(test), torch.tensor(test_labels)
with torch.no_grad():
    mu, logvar = squeezer.encode(real, told_to)
    again = squeezer(mu, told_to)
    drawn = squeezer(torch.randn(500, 16, generator=dice()), told_to)
rows = np.concatenate([test[:10], images.decode(again[:10]), images.decode(drawn[:10])])
names = [*test_labels[:10].tolist(), *["back"] * 10, *["drawn"] * 10]
show.images(rows, labels=names, alt="Ten digits; the same after the bottleneck, a little softer; ten drawn, softer.")


def grey(pictures: np.ndarray) -> float:
    """The share of ink and paper that is neither nearly black nor nearly white."""
    return float(((pictures > 64) & (pictures < 192)).mean())


shares = {"real": grey(test), "back": grey(images.decode(again)), "drawn": grey(images.decode(drawn))}
print({name: f"{share:.3f}" for name, share in shares.items()})
assert shares["real"] < shares["back"] < shares["drawn"]

# %% [markdown]
# *Answer 4.* More, and those that were drawn more than those that came back: at a $z$ between the codes of known
# digits, more is undecided. The decoder also learnt *how much* it does not know, the spread $\sigma$. Add noise of this
# spread to a drawing and it is a fair draw from the model, and looks worse.
#
# ## 4 · From noise
#
# *Can the steps from noise to a digit be few?* A **flow** (chapter 02 has met one) learns the velocity of a straight
# path between an image $x_0$ and noise $\varepsilon$ (Liu et al. 2023):
#
# $$x_t = (1 - t)\, x_0 + t\, \varepsilon, \qquad v(x_t, t, y) \approx \mathbb{E}[\varepsilon - x_0 \mid x_t, y] \tag{8.4}$$
#
# `flow.path` and `flow.loss`. To draw, follow it back from $t = 1$ to $0$: `sample.ode`. In one step, $x_0$ is guessed at
# once from noise that says nothing: the mean of all digits of that label, the blur of the last section. In many steps
# each guess is used for a short way only.
#
# *Predict 5.* The judge counts how often a digit is what was asked for, and FID how far 300 of them are from real ones.
# Ask the model for its label alone, or exaggerate the label (chapter 02's guidance, here 3 in place of 1). Which of the
# two numbers becomes better, and which worse?

# %%
painter, _ = released.load("digits")
painter = painter.to(device)
asked = torch.arange(300) % 10
corpus_features = judged(judge, data.digits()[0])[0]


@torch.inference_mode()
def paint(steps: int, guidance: float = 1.0, between: tuple = (0.0, 1.0)) -> np.ndarray:
    noise = torch.randn(len(asked), 1, 28, 28, generator=dice()).to(device)
    velocity = sample.guided(painter, asked.to(device), guidance, between)
    return images.decode(sample.ode(velocity, noise, steps))


def judgement(pictures: np.ndarray, asked: torch.Tensor) -> tuple[float, float, float, float]:
    """FID, precision, recall against real digits, as many of each; and the part that is read as asked."""
    features, read = judged(judge, pictures)
    clouds = corpus_features[: len(features)], features
    return frechet(corpus_features, features), *precision_recall(*clouds), (read == asked).double().mean().item()


ways = {"1 step": paint(1), "2": paint(2), "4": paint(4), "8": paint(8), "13": paint(13)}
ways |= {"8, guidance 3": paint(8, 3.0), "8, 1.7 in the middle": paint(8, 1.7, (0.3, 0.9))}
table = {name: judgement(pictures, asked) for name, pictures in ways.items()}

# %% tags=["nbval-ignore-output"]
for name, (fid, precision, recall, right) in table.items():
    print(f"{name:<22} FID {fid:6.1f}  precision {precision:.2f}  recall {recall:.2f}  as asked {right:.2f}")

# %%
assert table["1 step"][0] > table["2"][0] > table["4"][0] > table["8"][0]
assert table["8, guidance 3"][3] > table["8"][3] and table["8, guidance 3"][2] < table["8"][2]
course.expect("08.one_step", table["1 step"][0] / table["8"][0], baseline=1.0)

# %% [markdown]
# *Answer 5.* With guidance more digits are read as asked, and fewer kinds of each are drawn: precision is bought with
# recall. FID looks at both, so it is best between. Guidance costs a second call of the network, and does its good in
# the middle of the way: at the beginning it decides too early, at the end there is nothing left to decide
# (Kynkäänniemi et al. 2024). What the shipped recipe does is in the last line.
#
# Here is one digit's birth: the points of the way, and below, what the model at each of them takes for the end of it.

# %%
with torch.inference_mode():
    at, seven, births = torch.randn(1, 1, 28, 28, generator=dice()).to(device), torch.tensor([7], device=device), []
    times = torch.linspace(1, 0, 11)
    for now, then in zip(times[:-1], times[1:]):
        v = painter(at, now[None].to(device), seven)
        births.append((at, at - now * v))  # where it is; where a straight line would end
        at = at + (then - now) * v
ways_, ends = (images.decode(torch.cat(part).cpu().clamp(-1, 1)) for part in zip(*births))
show.images(
    np.concatenate([ways_, ends]),
    labels=[*(f"t = {t:.1f}" for t in times[:-1].tolist()), *["the end?"] * 10],
    alt="Ten frames from noise to a seven; under each what the model then takes for the end: first the mean of all sevens.",
)
off = [float(np.abs(end.astype(float) - ends[-1]).mean()) for end in ends]
assert off[0] > off[4] > off[8]  # it changes its mind less and less

# %% [markdown]
# ## 7 · The large ones
#
# Draft: sections 5 and 6 stand before this one. The cells below ran offline, with nothing on stderr, in under a second
# after the imports (6 to 9 s with torch); by hand and by the pipeline the images are equal to the last bit. Real weights:
# `stable-diffusion-v1-5/stable-diffusion-v1-5` (2.1 GB in float16, CreativeML OpenRAIL-M), `nota-ai/bk-sdm-tiny` (1.1 GB),
# `fal/AuraFlow-v0.3` (16.8 GB, Apache-2.0). Pitfalls: models from configs are in training mode (`.eval()`); AuraFlow needs
# height, width and max_sequence_length; `set_timesteps(4)` alone gives unequal times, so hand `sigmas` over; `dtype=`, not
# `torch_dtype=`; `safety_checker=None` needs `requires_safety_checker=False`.

# %% 1. imports, quiet
import tempfile

import diffusers
import torch
import transformers
from diffusers import (AuraFlowPipeline, AuraFlowTransformer2DModel, AutoencoderKL,
                       DDIMScheduler, FlowMatchEulerDiscreteScheduler,
                       StableDiffusionPipeline, UNet2DConditionModel)
from transformers import (CLIPTextConfig, CLIPTextModel, CLIPTokenizer, T5Tokenizer, UMT5Config,
                          UMT5EncoderModel)

diffusers.logging.disable_progress_bar()  # from_pretrained: "Loading pipeline components..."
transformers.logging.disable_progress_bar()  # from_pretrained: "Loading weights"
prompt, steps, scale = "a red circle", 4, 5.0

# %% 2. Stable Diffusion's classes, tiny and untrained
torch.manual_seed(0)
letters = "abcdefghijklmnopqrstuvwxyz"
words = [*letters, *(a + "</w>" for a in letters), "<|startoftext|>", "<|endoftext|>"]
tokenizer = CLIPTokenizer({word: i for i, word in enumerate(words)}, model_max_length=16)
text = CLIPTextConfig(vocab_size=len(words), hidden_size=32, intermediate_size=64,
                      num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=16,
                      bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
                      pad_token_id=tokenizer.pad_token_id)
unet = UNet2DConditionModel(sample_size=8, block_out_channels=(32, 64), layers_per_block=1,
                            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
                            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
                            cross_attention_dim=32, attention_head_dim=4)
vae = AutoencoderKL(block_out_channels=(32,) * 4, down_block_types=("DownEncoderBlock2D",) * 4,
                    up_block_types=("UpDecoderBlock2D",) * 4)
noises = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                       clip_sample=False, set_alpha_to_one=False, steps_offset=1)
pipe = StableDiffusionPipeline(vae, CLIPTextModel(text).eval(), tokenizer, unet, noises,
                               safety_checker=None, feature_extractor=None,
                               requires_safety_checker=False)
pipe.set_progress_bar_config(disable=True)

# %% 3. through a folder, and back by the line that loads the real one
with tempfile.TemporaryDirectory() as folder:
    pipe.save_pretrained(folder)
    pipe = StableDiffusionPipeline.from_pretrained(folder)
pipe.set_progress_bar_config(disable=True)
# With weights, 2.1 GB in float16:
# pipe = StableDiffusionPipeline.from_pretrained(
#     "stable-diffusion-v1-5/stable-diffusion-v1-5", variant="fp16", dtype=torch.float16,
#     safety_checker=None, requires_safety_checker=False).to("cuda")
for name, part in pipe.components.items():
    if isinstance(part, torch.nn.Module):
        print(f"{name:13} {type(part).__name__:22} {part.num_parameters():8,} parameters")
    elif part is not None:
        print(f"{name:13} {type(part).__name__}")

# %% 4. an image
print(pipe.tokenizer.tokenize(prompt))
image = pipe(prompt, num_inference_steps=steps, guidance_scale=scale,
             generator=torch.Generator().manual_seed(0)).images[0]
print(image.size)

# %% 5. the pipeline's loop by hand
@torch.no_grad()
def by_hand(pipe, prompt, steps, scale, generator):
    ids = pipe.tokenizer(["", prompt], padding="max_length", return_tensors="pt").input_ids
    both = pipe.text_encoder(ids)[0]  # (2, tokens, channels): the empty prompt, the prompt
    side = pipe.unet.config.sample_size
    x = torch.randn(1, pipe.unet.config.in_channels, side, side, generator=generator)
    pipe.scheduler.set_timesteps(steps)
    for t in pipe.scheduler.timesteps:
        uncond, cond = pipe.unet(torch.cat([x, x]), t, both).sample.chunk(2)
        x = pipe.scheduler.step(uncond + scale * (cond - uncond), t, x).prev_sample
    return (pipe.vae.decode(x / pipe.vae.config.scaling_factor).sample / 2 + 0.5).clamp(0, 1)


mine = by_hand(pipe, prompt, steps, scale, torch.Generator().manual_seed(0))
theirs = pipe(prompt, num_inference_steps=steps, guidance_scale=scale, output_type="pt",
              generator=torch.Generator().manual_seed(0)).images
assert (mine - theirs).abs().max() < 1e-4
print("the same image:", tuple(mine.shape))

# %% 6. a diffusion transformer with rectified flow: AuraFlow's classes, tiny and untrained
torch.manual_seed(0)
words = ["<pad>", "</s>", "<unk>", *"▁abcdefghijklmnopqrstuvwxyz"]
tokenizer = T5Tokenizer([(word, -1.0) for word in words], extra_ids=0)
text = UMT5Config(vocab_size=len(words), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
dit = AuraFlowTransformer2DModel(sample_size=8, num_mmdit_layers=1, num_single_dit_layers=1,
                                 num_attention_heads=4, attention_head_dim=8,
                                 joint_attention_dim=32, caption_projection_dim=32)
flow = AuraFlowPipeline(tokenizer, UMT5EncoderModel(text).eval(), pipe.vae, dit,
                        FlowMatchEulerDiscreteScheduler())
flow.set_progress_bar_config(disable=True)
# With weights, 16.8 GB in float16:
# flow = AuraFlowPipeline.from_pretrained("fal/AuraFlow-v0.3", variant="fp16",
#                                         dtype=torch.float16).to("cuda")
for name, part in flow.components.items():
    size = f"{part.num_parameters():8,} parameters" if isinstance(part, torch.nn.Module) else ""
    print(f"{name:13} {type(part).__name__:32} {size}".rstrip())

# %% 7. an image, in equal steps of time as in the course
times = [1 - k / steps for k in range(steps)]
theirs = flow(prompt, sigmas=times, num_inference_steps=steps, guidance_scale=scale,
              height=64, width=64, max_sequence_length=16, output_type="pt",
              generator=torch.Generator().manual_seed(0)).images
print(flow.scheduler.sigmas.tolist(), tuple(theirs.shape))

# %% 8. its loop by hand, with the course's Euler step in place of scheduler.step
@torch.no_grad()
def by_hand(pipe, prompt, times, scale, generator):
    tokens = pipe.tokenizer(["", prompt], padding="max_length", max_length=16,
                            return_tensors="pt")
    both = pipe.text_encoder(**tokens)[0] * tokens.attention_mask[..., None]
    side = pipe.transformer.config.sample_size
    x = torch.randn(1, pipe.transformer.config.in_channels, side, side, generator=generator)
    for now, then in zip(times, times[1:]):
        t = torch.full((2,), now)
        uncond, cond = pipe.transformer(torch.cat([x, x]), both, t).sample.chunk(2)
        velocity = uncond + scale * (cond - uncond)
        x = x + (then - now) * velocity
    return (pipe.vae.decode(x / pipe.vae.config.scaling_factor).sample / 2 + 0.5).clamp(0, 1)


times = flow.scheduler.sigmas.tolist()  # from 1 to 0
mine = by_hand(flow, prompt, times, scale, torch.Generator().manual_seed(0))
assert (mine - theirs).abs().max() < 1e-4
print("the same image:", tuple(mine.shape))

# %% 9. the scheduler on its own: Euler's method on the straight path
generator = torch.Generator().manual_seed(0)
data = torch.rand(1, 3, 8, 8, generator=generator)
noise = torch.randn(1, 3, 8, 8, generator=generator)
scheduler = FlowMatchEulerDiscreteScheduler()
scheduler.set_timesteps(sigmas=times[:-1])
x, velocity = noise, noise - data
for t, now, then in zip(scheduler.timesteps, scheduler.sigmas, scheduler.sigmas[1:]):
    stepped = scheduler.step(velocity, t, x).prev_sample
    assert torch.allclose(stepped, x + (then - now) * velocity, atol=1e-6)
    assert torch.allclose(stepped, (1 - then) * data + then * noise, atol=1e-5)
    print(f"timestep {t:6.1f}: from {now:.2f} to {then:.2f}")
    x = stepped
assert torch.allclose(x, data, atol=1e-5)
