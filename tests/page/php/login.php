<?php
// What stands for a PHP site in test_examples.py: it signs in whoever says who he is.
session_start();
$_SESSION['user'] = $_GET['user'];
