"""What a scenario may say: frozen, validated models, one for each table of the file."""
