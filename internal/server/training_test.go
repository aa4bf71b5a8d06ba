package server

const trainerRole = "VC_TEST_TRAINER"

func pretendToTrain() int { return 0 }
