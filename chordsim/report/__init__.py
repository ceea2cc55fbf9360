"""What people read: tables for the terminal, charts and pages for the browser."""
