"""Published schedules as files, and what runs them: in virtual time, and on real agents."""
