"""Between what people see and what models compute: text <-> tokens, notes <-> events <-> MIDI, images <-> tensors."""
