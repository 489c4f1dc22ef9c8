"""The editor in the browser and the HTTP service. It sees inpainters, never a network."""
