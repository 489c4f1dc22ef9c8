"""The editor in the browser and the HTTP API. They use inpainters, never a network directly."""
