"""Category maps, one a language: tables of node kinds and what they mean."""
