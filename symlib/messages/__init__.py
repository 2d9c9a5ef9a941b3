"""What a network says: messages, linear fits, energies, motion from equations."""
