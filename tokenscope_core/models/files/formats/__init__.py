"""What lies on disks besides folders of safetensors: GGUF files and adapters."""
