"""What people say: policies, lifecycles, limits and table contracts. The only place that uses pydantic."""
