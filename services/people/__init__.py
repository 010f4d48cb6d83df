"""Named people at a site's pages: how they prove who they are, for how long, and how a page is made for them."""
