"""One file a shipped model, and the only place that names it.

`make checkpoints` trains it, writes its card, and enters it into data/checkpoints/index.json, from which it is loaded
and checked.

A recipe has:
    DATA, LIMITS    two sentences or three for the card
    RECIPE          the aigc.train.Recipe
    start()         the untrained model, seeded; its loss, as `train` calls it; and its codec: the characters of a model
                    that writes text ("" for others), or the tokenizer of a model in the format of transformers
    measure(model)  what the model reaches on data that were held out, in a sentence with its baseline
"""

SEED = 0
