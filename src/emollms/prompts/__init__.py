"""Prompts and answers: instruction + text → prompt; label → answer; answer → label."""
