"""From a box to halos: linear theory, gravity on a mesh, friends of friends."""
