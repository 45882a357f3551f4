package gateway

type levelData struct {
	LevelName   string `json:"level_name"`
	LevelNumber int64  `json:"level_number"`
	ID          int64  `json:"id"`
}

// levelList is 3.8, wk.user.level.list: 分页查询会员等级配置列表, by number.
// pageSize is never more than there are levels, which gives the 7 of the
// example, asked for 10 (G-134).
func levelList(c *call) (answer, error) {
	no, size := c.fields.paging(10)
	if err := c.fields.check(); err != nil {
		return answer{}, err
	}
	snap, err := c.snapshot()
	if err != nil {
		return answer{}, err
	}
	levels := snap.Levels
	total := len(levels)
	from := min((no-1)*size, total)
	rows := make([]levelData, 0, size)
	for _, l := range levels[from:min(from+size, total)] {
		rows = append(rows, levelData{l.Name, l.Number, l.ID})
	}
	return answer{data: rows, page: &page{no, min(size, total), int64(total)}}, nil
}
