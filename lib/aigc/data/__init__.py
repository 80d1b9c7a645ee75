"""Real data sets. Each is a function that returns arrays or text, and needs no network."""

from .chorales import Chorale, chorales
from .digits import digits
from .minilm import minilm
from .shakespeare import shakespeare
from .smollm import smollm2
from .verse import verse

__all__ = ["OFFLINE", "Chorale", "chorales", "digits", "minilm", "shakespeare", "smollm2", "verse"]

OFFLINE = (digits, shakespeare, chorales, smollm2, minilm)  # what set-up makes ready and every notebook may read
