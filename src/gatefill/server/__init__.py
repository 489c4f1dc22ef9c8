"""The editor in the browser and the HTTP service. It uses inpainters, never a network directly."""
