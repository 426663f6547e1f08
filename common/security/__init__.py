"""Who may do what, the keys by which that is proven, and the signed record of what people did."""
