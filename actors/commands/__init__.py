"""What may be typed after ``engine`` and at the shell: one tree, a module for each group of commands."""
