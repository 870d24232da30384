"""What a study's folder must bear: several processes, full disks, other machines."""
