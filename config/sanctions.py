"""Settings of sanctions screening. Plain values and environment alone."""

from config.environment import env

# Where the list is published: one file (SDN.XML), or several with commas between (sdn.csv,alt.csv,add.csv); empty: staff load
# it by hand. Redirects are not followed, and in production it has to be https.
SANCTIONS_URL = env.str("SANCTIONS_URL", "")
SANCTIONS_BYTES_MAX = env.int("SANCTIONS_BYTES_MAX", 100_000_000)  # of each file
# A publication with so many percent less than the one in force is refused until a person says that it is meant.
SANCTIONS_SHRINK_MAX_PERCENT = env.int("SANCTIONS_SHRINK_MAX_PERCENT", 5)
# Every customer is screened again when a list changes, and after so many hours: what is known of him may have changed.
SANCTIONS_RESCREEN_H = env.int("SANCTIONS_RESCREEN_H", 24)
