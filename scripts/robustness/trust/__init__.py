"""Whether what an attack found is a property of the model: twelve checks and their table."""
