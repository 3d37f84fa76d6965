"""How closely a neuron follows a hypothesis."""
