"""README's figures: each block of text or table that holds some is made of committed results."""
