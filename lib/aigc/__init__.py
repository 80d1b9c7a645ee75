"""The library of the course 落霞与孤鹜齐飞 · Generative AI, from first principles to practice.

Data flows one way: data -> codecs -> models -> train -> sample -> evaluate -> show.
"""
