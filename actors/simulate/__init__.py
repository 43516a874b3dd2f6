"""A definitions folder in virtual time: what it would come to, without running an action."""
