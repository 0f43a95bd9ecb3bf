-- The goods of a demo shop: three stores and what they sell. The owners are made by `sokoctl demo
-- load` before this runs. Ids follow from names, so that two demo shops are alike.
CREATE FUNCTION pg_temp.demo_id(name text) RETURNS uuid LANGUAGE sql AS $$ SELECT md5('soko demo ' || name)::uuid $$;

INSERT INTO stores (id, owner_id, name, description)
SELECT pg_temp.demo_id(d.name), a.id, d.name, d.description
FROM (VALUES
    ('vitabu@soko.example', 'Vitabu vya Wanjiku', 'Books, old and new, from Tom Mboya Street'),
    ('jikoni@soko.example', 'Jikoni', 'All for the kitchen, and what goes into the pot'),
    ('safari@soko.example', 'Safari Outfitters', 'For those who go up-country')
) AS d (owner, name, description) JOIN accounts a ON a.email = d.owner;

INSERT INTO categories (id, parent_id, name)
SELECT pg_temp.demo_id('category ' || d.name), pg_temp.demo_id('category ' || d.parent), d.name
FROM (VALUES
    ('Books', NULL),
    ('Novels', 'Books'),
    ('Children’s books', 'Books'),
    ('Textbooks', 'Books'),
    ('Kitchen', NULL),
    ('Cookware', 'Kitchen'),
    ('Tea and coffee', 'Kitchen'),
    ('Spices', 'Kitchen'),
    ('Outdoors', NULL),
    ('Bags', 'Outdoors'),
    ('Camping', 'Outdoors'),
    ('Clothing', NULL),
    ('Kikoi and kanga', 'Clothing')
) AS d (name, parent);

CREATE TEMPORARY TABLE demo_goods ON COMMIT DROP AS
SELECT row_number() OVER () AS n, d.*, pg_temp.demo_id('product ' || d.name) AS id
FROM (VALUES
    ('vitabu@soko.example', 'Novels', 'Weep Not, Child', 'A novel of the Emergency years, paperback', 85000, 20, 250),
    ('vitabu@soko.example', 'Novels', 'The River Between', 'Two ridges, one river; paperback', 90000, 15, 240),
    ('vitabu@soko.example', 'Novels', 'A Grain of Wheat', 'Four days before Uhuru; paperback', 95000, 18, 310),
    ('vitabu@soko.example', 'Novels', 'Coming to Birth', 'A young wife comes to Nairobi; paperback', 78000, 9, 220),
    ('vitabu@soko.example', 'Novels', 'Dust', 'A family and a country, hardback', 165000, 6, 520),
    ('vitabu@soko.example', 'Novels', 'Going Down River Road', 'Nairobi in the seventies; paperback', 82000, 11, 260),
    ('vitabu@soko.example', 'Novels', 'The Dragonfly Sea', 'A girl of Pate Island; hardback', 189000, 7, 640),
    ('vitabu@soko.example', 'Novels', 'Siku Njema', 'Riwaya ya Kiswahili, toleo jipya', 65000, 30, 210),
    ('vitabu@soko.example', 'Children’s books', 'Hare and the Drought', 'Picture book, ages 4 to 7', 48000, 40, 180),
    ('vitabu@soko.example', 'Children’s books', 'Mkate wa Bibi', 'Kitabu cha picha kwa watoto', 42000, 35, 160),
    ('vitabu@soko.example', 'Children’s books', 'Animals of the Mara', 'Board book with thirty animals', 56000, 22, 300),
    ('vitabu@soko.example', 'Children’s books', 'The Clever Tortoise', 'Seven folk tales, illustrated', 62000, 17, 280),
    ('vitabu@soko.example', 'Textbooks', 'Kamusi ya Kiswahili Sanifu', 'Dictionary, third edition', 145000, 25, 900),
    ('vitabu@soko.example', 'Textbooks', 'Secondary Mathematics Form 3', 'Student’s book, revised', 73000, 60, 480),
    ('vitabu@soko.example', 'Textbooks', 'Secondary Chemistry Form 4', 'Student’s book, revised', 76000, 52, 500),
    ('vitabu@soko.example', 'Textbooks', 'School Atlas of East Africa', 'Maps and statistics', 99000, 28, 610),
    ('vitabu@soko.example', 'Textbooks', 'Geometry set', 'Compass, protractor, rulers in a tin', 35000, 120, 200),
    ('vitabu@soko.example', 'Books', 'Reading lamp', 'Clip-on, rechargeable by USB', 125000, 14, 190),
    ('jikoni@soko.example', 'Cookware', 'Sufuria set, five pieces', 'Aluminium, 1 to 6 litres, with lids', 320000, 12, 2600),
    ('jikoni@soko.example', 'Cookware', 'Cast-iron karahi, 28 cm', 'Seasoned, for chapati and stew', 275000, 8, 2900),
    ('jikoni@soko.example', 'Cookware', 'Wooden mwiko', 'Cooking stick of olive wood, 40 cm', 28000, 80, 150),
    ('jikoni@soko.example', 'Cookware', 'Energy-saving jiko', 'Ceramic lining, burns half the charcoal', 195000, 16, 3800),
    ('jikoni@soko.example', 'Cookware', 'Chapati rolling pin and board', 'Mvule wood', 110000, 19, 1700),
    ('jikoni@soko.example', 'Cookware', 'Pressure cooker, 7 litres', 'With a spare gasket', 540000, 5, 2400),
    ('jikoni@soko.example', 'Cookware', 'Enamel plates, set of six', 'White with a blue rim', 150000, 27, 1300),
    ('jikoni@soko.example', 'Tea and coffee', 'Kericho black tea, 500 g', 'Loose leaf, first grade', 52000, 90, 520),
    ('jikoni@soko.example', 'Tea and coffee', 'Purple tea, 100 g', 'From Nandi Hills', 69000, 33, 120),
    ('jikoni@soko.example', 'Tea and coffee', 'Kirinyaga AA coffee, 250 g', 'Whole beans, medium roast', 98000, 44, 270),
    ('jikoni@soko.example', 'Tea and coffee', 'Nyeri peaberry coffee, 250 g', 'Whole beans, light roast', 112000, 21, 270),
    ('jikoni@soko.example', 'Tea and coffee', 'Chai masala, 100 g', 'Ginger, cardamom, cinnamon, clove', 24000, 150, 110),
    ('jikoni@soko.example', 'Tea and coffee', 'Brass coffee pot', 'For kahawa chungu, 0.8 litres', 230000, 7, 950),
    ('jikoni@soko.example', 'Tea and coffee', 'Thermos flask, 1.8 litres', 'Keeps tea hot for a day', 185000, 24, 1100),
    ('jikoni@soko.example', 'Spices', 'Pilau masala, 100 g', 'Ground in Mombasa', 26000, 140, 110),
    ('jikoni@soko.example', 'Spices', 'Cardamom pods, 50 g', 'Green, whole', 43000, 70, 60),
    ('jikoni@soko.example', 'Spices', 'Cloves of Pemba, 50 g', 'Whole, hand-picked', 31000, 85, 60),
    ('jikoni@soko.example', 'Spices', 'Vanilla pods, three', 'Grown in Uganda', 89000, 26, 20),
    ('jikoni@soko.example', 'Spices', 'Coast curry powder, 100 g', 'Mild', 23000, 110, 110),
    ('jikoni@soko.example', 'Spices', 'Bird’s-eye chilli, dried, 50 g', 'Very hot', 19000, 95, 60),
    ('jikoni@soko.example', 'Kitchen', 'Kiondo basket, medium', 'Sisal, leather handles, from Machakos', 175000, 13, 450),
    ('jikoni@soko.example', 'Kitchen', 'Soapstone bowl', 'Carved in Kisii, 15 cm', 130000, 18, 1400),
    ('safari@soko.example', 'Bags', 'Canvas backpack, 30 litres', 'Waxed, with leather straps', 460000, 10, 1200),
    ('safari@soko.example', 'Bags', 'Dry bag, 20 litres', 'For boats and rainy seasons', 210000, 23, 400),
    ('safari@soko.example', 'Bags', 'Shoulder bag of kitenge', 'Lined, with a zip', 145000, 31, 350),
    ('safari@soko.example', 'Bags', 'Travel pouch', 'For passport and phone', 75000, 48, 90),
    ('safari@soko.example', 'Camping', 'Two-person tent', 'Three-season, 2.1 kg', 1190000, 6, 2100),
    ('safari@soko.example', 'Camping', 'Sleeping bag, 5 degrees', 'Packs to 30 cm', 520000, 9, 1300),
    ('safari@soko.example', 'Camping', 'Head torch', '200 lumens, rechargeable', 168000, 37, 95),
    ('safari@soko.example', 'Camping', 'Folding camp chair', 'Carries 120 kg', 340000, 15, 2900),
    ('safari@soko.example', 'Camping', 'Solar lantern', 'Lights eight hours, charges a phone', 295000, 29, 480),
    ('safari@soko.example', 'Camping', 'Water filter bottle', 'One litre, for 1,000 litres', 385000, 12, 260),
    ('safari@soko.example', 'Camping', 'Mosquito net, double', 'Treated, with a hanging kit', 125000, 42, 480),
    ('safari@soko.example', 'Camping', 'Steel mug with carabiner', '0.35 litres', 69000, 55, 140),
    ('safari@soko.example', 'Outdoors', 'Binoculars 8x42', 'Waterproof, with strap and case', 1380000, 4, 720),
    ('safari@soko.example', 'Outdoors', 'Field guide to the birds of Kenya', '3,400 illustrations', 390000, 11, 980),
    ('safari@soko.example', 'Outdoors', 'Tracksuit for hikers', 'Quick to dry', 410000, 17, 620),
    ('safari@soko.example', 'Outdoors', 'Wide-brimmed hat', 'Cotton, folds flat', 135000, 26, 130),
    ('safari@soko.example', 'Kikoi and kanga', 'Kikoi, striped', 'Cotton, 160 x 100 cm', 120000, 34, 320),
    ('safari@soko.example', 'Kikoi and kanga', 'Kanga with a proverb', 'A pair, 100 % cotton', 95000, 38, 380),
    ('safari@soko.example', 'Kikoi and kanga', 'Maasai shuka', 'Red check, acrylic, 150 x 200 cm', 160000, 22, 700),
    ('safari@soko.example', 'Clothing', 'Sandals of old tyres', 'Akala, sizes 36 to 45', 80000, 64, 650)
) AS d (owner, category, name, description, price, stock, weight_g);

INSERT INTO products (id, store_id, category_id, name, description, price, currency, sku, weight_g, created_at, updated_at)
SELECT g.id, s.id, pg_temp.demo_id('category ' || g.category), g.name, g.description, g.price, 'KES',
       'DEMO-' || to_char(g.n, 'FM000'), g.weight_g, now() - g.n * interval '1 hour', now() - g.n * interval '1 hour'
FROM demo_goods g JOIN accounts a ON a.email = g.owner JOIN stores s ON s.owner_id = a.id;

INSERT INTO product_stock (product_id, available) SELECT id, stock FROM demo_goods;
