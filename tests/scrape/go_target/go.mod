module go_target

go 1.21
