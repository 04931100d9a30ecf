
"serve
"se