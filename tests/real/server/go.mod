module example.com/realserver

go 1.20
