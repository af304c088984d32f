sh -c '[ ! -e /var/lib/berth/schedules/shop-upkeep ] || /var/lib/berth/schedules/shop-upkeep remove'
