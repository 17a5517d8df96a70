SELECT count() FROM events WHERE workspace = {workspace:String}
-- workspace = main
