"""What tables hold: read from anything tabular, validated as a whole, normalised for the engine."""
