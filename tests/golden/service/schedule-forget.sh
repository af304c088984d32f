docker service ls --quiet --filter 'label=berth.schedule=shop-upkeep' | xargs -r docker service rm; docker config ls --quiet --filter 'label=berth.schedule=shop-upkeep' | xargs -r docker config rm
