"""Decides which stock serves which demand, says why, and never loses count."""
