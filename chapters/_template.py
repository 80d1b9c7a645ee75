# %% [markdown]
# # NN · Title
#
# **The one question that this chapter answers?**
#
# Open with the question or with a failure: something concrete that the reader can see go wrong.
#
# ## What you need
#
# What to know before, and from which chapter.
# Measured: 0 s on a plain laptop, 0 GB.

# %%
from aigc import course, show

device = course.start("NN")
show.style()

# %% [markdown]
# ## What we will measure
#
# The quantity, its unit, the baseline. *Predict:* the reader writes down a guess.
#
# ## A toy by hand
#
# Small enough for pencil and paper; the cell after it confirms the pencil.
#
# ## The mathematics
#
# Each symbol is defined where it first stands. Equations are numbered, and each names its function:
#
# $$a = b \tag{N.1}$$
#
# This is `module.function`.
#
# ## The code
#
# The code is the equation. Then it is held against the library: `assert` that both agree.
#
# ## The experiment
#
# Data, baseline, training with a progress bar, samples that were not selected. Look, read or listen. Then
# `course.expect("NN.key", value, baseline=...)`.
#
# ## Checkpoint
#
# *A question that needs what was just learnt.*
#
# <details><summary>Answer</summary>
#
# The answer, with its reason.
#
# </details>
#
# ## Break it
#
# Remove or exaggerate one thing on purpose. Predict, run, interpret.
#
# ## What we measured

# %% tags=["nbval-ignore-output"]
course.summary()

# %% [markdown]
# ## Limits
#
# What was not shown, what was only measured once, where it fails.
#
# ## Exercises
#
# - NN.1 verify: ...
# - NN.2 modify: ...
# - NN.3 investigate: ...
#
# ## References
#
# - Author, A. (year). Title. doi:10.... or arXiv:....
