"""Structure learning: Meta-Sim2's pre-training and REINFORCE on what pictures cost."""
