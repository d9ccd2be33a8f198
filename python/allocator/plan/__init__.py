"""What Rust is told: a policy and its tables compiled to plain columns, codes and tables of codes."""
