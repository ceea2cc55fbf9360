"""Which phones there are: profiles drawn per device, who is asked in a round, and how long things take them."""
