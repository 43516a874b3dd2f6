"""The forms of what the control API takes and gives: what OpenAPI is made of."""
