"""The networks: timm's architectures, their heads, and what fuses the views of a breast or exam."""
