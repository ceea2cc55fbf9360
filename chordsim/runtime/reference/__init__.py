"""The phone's own steps in numpy alone, for whoever ports them: draw, mask, quantize by plan, pack, unpack."""
