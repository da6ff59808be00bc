"""Whole stories: kills, storms, clusters, two hosts, a backup."""
